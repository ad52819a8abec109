"""Reads and verifies a journal, also while a service writes it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from midflight_plugins.state._disk import StateError, read
from midflight_plugins.state._journal import FILE, FORMAT, HEAD, Link, read_head

_ROWS = "SELECT number, CAST(body AS BLOB), CAST(hash AS BLOB) FROM records"


@attrs.frozen
class Report:
    """What a look at every record has shown.

    Args:
        records: how many there are, up to the first break.
        last: the place of the last of them that is as it was written.
        broken: what is wrong at the first place that is not; empty if nothing is.
        anchored: whether the hash that was given is in the chain; `None` without one.
    """

    records: int
    last: Link
    broken: str = ""
    anchored: bool | None = None

    @property
    def is_sound(self) -> bool:
        """Whether every record is as it was written, and none is missing."""
        return not self.broken and self.anchored is not False


def last_records(
    folder: Path, limit: int, before: int | None = None
) -> list[dict[str, Any]]:
    """Return the newest records, newest first, each with its `number`.

    Args:
        folder: the state directory.
        limit: how many at most.
        before: the `number` of a record; only older ones are returned.

    Raises:
        StateError: if there is no journal, or it cannot be read.
    """
    query = f"{_ROWS} WHERE number < ? ORDER BY number DESC LIMIT ?"
    newest = 2**63 - 1 if before is None else before
    return _found(folder, query, newest, limit)


def records_of(
    folder: Path, limit: int, before: int | None = None
) -> list[dict[str, Any]]:
    """Return what `last_records` does; nothing if there is no journal yet.

    Raises:
        StateError: if it cannot be read.
    """
    if not (folder / FILE).exists():
        return []
    return last_records(folder, max(0, limit), before)


def one_record(folder: Path, number: int) -> dict[str, Any] | None:
    """Return one record, or `None` if it is not there.

    Raises:
        StateError: if there is no journal, or it cannot be read.
    """
    found = _found(folder, f"{_ROWS} WHERE number = ?", number)
    return found[0] if found else None


def verify(folder: Path, anchor: str | None = None) -> Report:
    """Look at every record, and find the first that is not as it was written.

    Args:
        folder: the state directory.
        anchor: a hash that an earlier look has shown, and that was kept elsewhere.

    Raises:
        StateError: if there is no journal.
    """
    # The head first: a service that writes meanwhile only goes on from there.
    head, path = read_head(read(folder / HEAD)), _path(folder)
    try:
        with contextlib.closing(_connected(path)) as database:
            return _walked(database, head, anchor)
    except (sqlite3.Error, ValueError, TypeError, OverflowError) as exc:
        return Report(0, Link(), f"the file is damaged: {exc}")


def _walked(
    database: sqlite3.Connection, head: Link | None, mark: str | None
) -> Report:
    [(number, start)] = database.execute(
        "SELECT number, CAST(hash AS BLOB) FROM anchor"
    )
    place, count, broken = Link(int(number), bytes(start).decode()), 0, ""
    seen, matched = place.hash == mark, head is not None and place == head
    for number, body, chain in database.execute(f"{_ROWS} ORDER BY number"):
        following = place.then(bytes(body))
        if number != following.number:
            broken = f"record {following.number} is missing"
        elif bytes(chain) != following.hash.encode():
            broken = f"record {number} is not as it was written"
        if broken:
            break
        place, count = following, count + 1
        seen, matched = seen or place.hash == mark, matched or place == head
    if not broken and not matched:
        broken = f"{HEAD} is missing or damaged"
        if head is not None:
            cut = head.number > place.number
            broken = f"record {place.number + 1} is missing" if cut else broken
            broken = broken if cut else f"record {head.number} is not that of {HEAD}"
    return Report(count, place, broken, seen if mark else None)


def _found(folder: Path, query: str, *arguments: int) -> list[dict[str, Any]]:
    with _opened(folder) as database:
        try:
            rows = database.execute(query, arguments).fetchall()
            return [
                {**json.loads(bytes(body)), "number": number, "hash": chain.decode()}
                for number, body, chain in rows
            ]
        except (sqlite3.Error, ValueError, OverflowError, TypeError) as exc:
            msg = f"{folder / FILE} is damaged: {exc}"
            raise StateError(msg) from exc


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal for reading; one snapshot of it, whoever writes meanwhile."""
    path = _path(folder)
    try:
        with contextlib.closing(_connected(path)) as database:
            yield database
    except (sqlite3.Error, UnicodeDecodeError) as exc:  # of a damaged schema
        msg = f"{path} cannot be read: {exc}"
        raise StateError(msg) from exc


def _path(folder: Path) -> Path:
    path = (folder / FILE).absolute()
    if not path.exists():
        msg = f"no journal in {folder}"
        raise StateError(msg)
    return path


def _connected(path: Path) -> sqlite3.Connection:
    """Connect; without the right to write beside the file, to the file alone."""
    for more in ("mode=ro", "mode=ro&immutable=1"):
        uri = f"{path.as_uri()}?{more}"
        database = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5.0)
        try:
            database.execute("BEGIN")
            [(version,)] = database.execute("PRAGMA user_version")
            database.execute("SELECT number FROM records LIMIT 1").fetchall()
        except sqlite3.OperationalError:
            database.close()
            if "immutable" in more:
                raise
            continue
        if version > FORMAT:
            database.close()
            msg = f"{path} is of a newer version ({version})"
            raise StateError(msg)
        return database
    raise AssertionError
