"""What is stored in one database: heads, tokens, history; SQL only."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from midflight.errors import SourceUnavailableError
from midflight_plugins.database import _rows as rows
from midflight_plugins.database._chain import Report, verify
from midflight_plugins.database._engine import backend_of, errors_told, open_engine
from midflight_plugins.database._put import Writer
from midflight_plugins.database._rows import AUTHOR, MESSAGE, Row, Write, kept
from midflight_plugins.database._schema import (
    State,
    holds_none,
    none_there,
    not_ours,
    state,
)
from midflight_plugins.database._tables import history
from midflight_plugins.database._url import Settings

T = TypeVar("T")
_SNAPSHOT = {
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "mysql": "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    "sqlite": "BEGIN",
}


def open_store(settings: Settings) -> Store:
    """Return a store of a database; nothing is connected yet."""
    return Store(open_engine(settings.url, settings.timeout), settings)


class Store:
    """The documents of one database. Safe for many threads, and after a fork.

    Every method that asks the database raises `SourceUnavailableError` if it does not
    answer within the timeout, has no tables, or has those of a later release.

    Args:
        engine: what `open_engine` made.
        settings: the same database.
        clock: seconds since 1970.
        jitter: a number in [0, 1).
        sleep: waits for some seconds.
        step: is told the name of each step of `put` when it is done: `locked`,
            `kept`, `history`, `head`, `notified`, `committing`, `committed`.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], None] = time.sleep,
        step: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.name = f"database:{settings.url}"
        self._engine, self._url = engine, settings.url
        self._backend = backend_of(engine)
        self._writer = Writer(engine, settings, clock, jitter, sleep, step)
        self._state: State | None = None
        self._pid = os.getpid()

    # -- reading -----------------------------------------------------------------

    def head(self, key: str) -> Row | None:
        """Return the newest version of a key by one query, `None` if there is none."""
        query = rows.read_head(self._backend)
        row = self._read(lambda c: c.execute(query, {"key": key}).one_or_none())
        if row is None:
            return None
        return Row(
            key,
            row.data,
            row.hash,
            row.version,
            rows.joined(row.version, row.hash, row.mark),
            row.created_by,
            rows.seconds(row.updated_at),
        )

    def tokens(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the change token of each key that is there, by one query.

        Equal tokens mean equal bytes, whoever wrote them.
        """
        query, values = rows.read_tokens(self._backend), {"keys": [*keys]}
        found = self._read(lambda connection: connection.execute(query, values).all())
        return {row.key: rows.joined(row.version, row.hash, row.mark) for row in found}

    def keys(self) -> list[Row]:
        """Return the head of every key, by name, without the bytes."""
        ours = self._looked() is State.OURS
        query = rows.heads(self._backend, with_ours=ours)
        found = self._read(lambda connection: connection.execute(query).all())
        return [*{row.key: rows.top(row) for row in found}.values()]

    def history(self, key: str, limit: int) -> list[Row]:
        """Return the newest versions of a key, newest first, without the bytes."""
        ours = self._looked() is State.OURS
        query = rows.versions(key, with_ours=ours).limit(max(0, limit))
        found = self._read(lambda connection: connection.execute(query).all())
        return [rows.old(row) for row in found]

    def version(self, key: str, version: int) -> Row:
        """Return one version of a key, as it was when it was last the head.

        Raises:
            KeyError: it is not kept.
        """
        c = history.c
        query = rows.versions(key, with_ours=self._looked() is State.OURS)
        query = query.add_columns(c.data).where(c.version == version).limit(1)
        row = self._read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            msg = f"{self.name}#{key} keeps no version {version}"
            raise KeyError(msg)
        return rows.old(row)

    def resolve(self, write_id: str) -> tuple[str, int] | None:
        """Return key and version that a write has become, `None` if it has not."""
        self._writable()
        c = history.c
        query = sa.select(c.key, c.version).where(c.write_id == write_id)
        row = self._read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else (row.key, row.version)

    def verify(self, key: str, anchor: str | None = None) -> Report:
        """Recompute the chain of a key's history, all of it as it is at one moment.

        Args:
            key: which document.
            anchor: a value of the chain that was kept elsewhere.

        Raises:
            SourceUnavailableError: there is neither a document nor a history, and no
                anchor that says there was.
        """
        self._writable()

        def look(connection: Connection) -> Report:
            connection.exec_driver_sql(_SNAPSHOT[self._backend])
            try:
                say, named = connection.execute, {"key": key}
                top = say(rows.head_of(self._backend), named).one_or_none()
                head = None if top is None else rows.head_link(key, top)
                found = say(rows.links(self._backend), named)
                report = verify(map(rows.to_link, found), head, anchor)
            except BaseException:
                connection.invalidate()
                raise
            finally:
                if not connection.invalidated:
                    connection.exec_driver_sql("ROLLBACK")
            if head is None and not report.rows and anchor is None:
                raise holds_none(self._url, key)
            return report

        return self._read(look)

    # -- writing -----------------------------------------------------------------

    def put(
        self,
        key: str,
        data: bytes,
        *,
        expected: str | int | None,
        author: str,
        message: str,
        digest: str,
        same: Callable[[bytes], bool] | None = None,
    ) -> int:
        """Store bytes as the next version of a key, if it is still the one expected.

        Args:
            key: which document.
            data: the bytes.
            expected: the version they are based on, `None` if there is none yet.
            author: who; the first 255 characters are kept.
            message: why; the first 4,000 characters are kept.
            digest: of the document that the bytes mean.
            same: tells whether other bytes mean that document too, so that nothing
                need be written; by default only equal bytes do.

        Returns:
            The new version, once it is durable; that of the head if it is equal.

        Raises:
            ConflictError: `expected` is not the head.
            UnknownOutcomeError: nobody can tell whether it was stored.
            SourceUnavailableError: it was not stored.
        """
        self._writable()
        who, why = kept(author, AUTHOR) or "system", kept(message, MESSAGE)
        return self._writer.put(Write(key, data, expected, who, why, digest, same))

    # -- connections -------------------------------------------------------------

    def close(self) -> None:
        """Close every connection that is not in use; the next call opens another."""
        self._engine.dispose(close=self._pid == os.getpid())

    def _looked(self) -> State:
        """Return the state of the tables; once they are good it is not asked again."""
        if self._pid != os.getpid():
            # After a fork the connections are the parent's.
            self._engine.dispose(close=False)
            self._pid = os.getpid()
        if self._state is None or self._state is State.NONE:
            self._state = self._try(lambda connection: state(connection, self._url))
        if self._state is State.NONE:
            raise none_there(self._url)
        return self._state

    def _writable(self) -> None:
        if self._looked() is not State.OURS:
            self._state = None  # somebody may have upgraded them by now
            if self._looked() is not State.OURS:
                raise not_ours(self._url)

    def _read(self, act: Callable[[Connection], T]) -> T:
        self._looked()
        try:
            return self._try(act)
        except SourceUnavailableError:
            self._state = None
            raise

    def _try(self, act: Callable[[Connection], T]) -> T:
        """Run queries; once more if the pool's connection had died meanwhile.

        One that was cut without a word takes the whole timeout to be found out, and
        those beside it in the pool are most likely cut as well.
        """
        with errors_told(self._url):
            while True:
                is_fresh = True
                try:
                    with self._engine.connect() as connection:
                        is_fresh = "used" not in connection.info
                        connection.info["used"] = True
                        return act(connection)
                except DBAPIError as exc:
                    if is_fresh or not exc.connection_invalidated:
                        raise
                    self._engine.dispose()
