"""The journal: one record per decision, each chained to the one before by its hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

import attrs

from midflight_plugins.state._disk import StateError, put, read
from midflight_plugins.state._folder import Folder

FILE, HEAD = "journal.db", "journal.head"
GENESIS = "0" * 64
FORMAT = 1  # the `user_version` below
_BUSY = 2.0  # s to wait for a reader that holds the file up
_MOST = 2**62
_HEAD = re.compile(rb"(\d{20}) ([0-9a-f]{64})\n")
_TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS anchor (number INTEGER NOT NULL, hash TEXT NOT NULL);
INSERT INTO anchor SELECT 0, printf('%064d', 0) WHERE NOT EXISTS (SELECT 1 FROM anchor);
PRAGMA user_version = 1;
COMMIT;
"""


@attrs.frozen
class Link:
    """A place in the chain.

    Args:
        number: counts the records from 1.
        hash: covers the record and, through its forerunner's, all before it.
    """

    number: int = 0
    hash: str = GENESIS

    def then(self, body: str | bytes) -> Link:
        """Return the place of the record that follows this one."""
        data = body if isinstance(body, bytes) else body.encode()
        text = f"{self.hash}\n{self.number + 1}\n".encode() + data
        return Link(self.number + 1, hashlib.sha256(text).hexdigest())

    def line(self) -> bytes:
        """Return the place as the file of the head holds it."""
        return f"{self.number:020d} {self.hash}\n".encode()


def read_head(data: bytes | None) -> Link | None:
    """Return the place that the file of the head holds, if it holds one."""
    found = _HEAD.fullmatch(data or b"")
    if not found or int(found[1]) > _MOST:
        return None
    return Link(int(found[1]), found[2].decode())


def canonical(record: Mapping[str, Any]) -> str:
    """Write a record in the one form that its hash is taken of."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), default=str)


class Journal:
    """Appends records to the journal of a state directory.

    Args:
        folder: the directory.
        keep: how many records stay.
        age: seconds that a record stays, or `None` for ever.

    Raises:
        sqlite3.Error, OSError: if it cannot be opened.
        StateError: if a newer version wrote it.
    """

    def __init__(self, folder: Folder, keep: int, age: float | None) -> None:
        self._folder, self._keep, self._age = folder, max(1, keep), age
        path = folder.path / FILE
        is_new = not path.exists()
        # SQLite gives its other files the mode of this one.
        handle = folder.disk.open(path, os.O_RDWR | os.O_CREAT)
        self._identity = _identity(os.fstat(handle))
        os.close(handle)
        self._database = sqlite3.connect(
            path, timeout=_BUSY, isolation_level=None, check_same_thread=False
        )
        self._head_file = -1
        try:
            self._open(is_new)
        except BaseException:
            self.close()
            raise

    def _open(self, is_new: bool) -> None:
        [(version,)] = self._database.execute("PRAGMA user_version")
        if version > FORMAT:
            msg = f"{self._folder.path / FILE} is of a newer version ({version})"
            raise StateError(msg)
        self._database.executescript(_TABLES)
        self._folder.disk.step("journal opened")
        head = self._folder.path / HEAD
        told = read_head(read(head))
        last = "SELECT number, hash FROM records ORDER BY number DESC LIMIT 1"
        found = self._database.execute(last).fetchone()
        if found is None:
            [found] = self._database.execute("SELECT number, hash FROM anchor")
        self._last = Link(*found)
        if told is None:
            if not is_new and self._last.number:
                # Not made anew for what is there: `verify` shall find that it is gone.
                self._last = Link(self._last.number, GENESIS)
            put(self._folder.disk, head, self._last.line())
        elif told.number >= self._last.number:
            # If records were cut off, the gap stays to be seen.
            self._last = told
        self._head_file = self._folder.disk.open(head, os.O_RDWR)

    def append(self, record: Mapping[str, Any]) -> int:
        """Add one record; return its number.

        Raises:
            sqlite3.Error, OSError: if it cannot be written; then it is not there.
            StateError: if the file was removed or replaced.
        """
        self._check()
        body = canonical(record)
        link = self._last.then(body)
        step = self._folder.disk.step
        self._database.execute("BEGIN IMMEDIATE")
        try:
            row = (link.number, body, link.hash)
            self._database.execute("INSERT INTO records VALUES (?, ?, ?)", row)
            step("journal record written")
            self._expire(link.number)
            step("journal old records expired")
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        self._last = link
        step("journal committed")
        # Less than a sector and in place: whole or not at all. It may lag behind.
        self._folder.disk.write(self._head_file, link.line())
        return link.number

    def _check(self) -> None:
        """See that the file is still there: SQLite would write on where nobody looks.

        Raises:
            StateError: if it is not.
        """
        path = self._folder.path / FILE
        try:
            is_same = _identity(path.stat()) == self._identity
        except FileNotFoundError:
            is_same = False
        if not is_same:
            msg = f"{path} was removed or replaced"
            raise StateError(msg)

    def _expire(self, newest: int) -> None:
        """Let go of old records; the anchor is the place of the last of them."""
        execute = self._database.execute
        [(first,)] = execute("SELECT min(number) FROM records")
        last = newest - self._keep
        if self._age is not None:
            oldest = time.time() - self._age
            ask = "SELECT number, body FROM records WHERE number < ? ORDER BY number"
            for number, body in execute(f"{ask} LIMIT 100", (newest,)).fetchall():
                if json.loads(body).get("at", 0) > oldest:
                    break
                last = max(last, number)
        if first is not None and first <= last:
            of_last = "SELECT number, hash FROM records WHERE number = ?"
            row = execute(of_last, (last,)).fetchone()
            if row is not None:
                execute("UPDATE anchor SET number = ?, hash = ?", row)
                execute("DELETE FROM records WHERE number <= ?", (last,))

    def close(self) -> None:
        """Let go of the files."""
        if self._head_file >= 0:
            os.close(self._head_file)
            self._head_file = -1
        self._database.close()


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
