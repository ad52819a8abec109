"""The one way to write: compare, keep, chain and swap, in one transaction."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from midflight.errors import ConflictError, SourceUnavailableError, UnknownOutcomeError
from midflight_plugins.database._chain import Link, chained
from midflight_plugins.database._engine import backend_of, errors_told, unavailable
from midflight_plugins.database._rows import Write, columns, head_of, tail
from midflight_plugins.database._tables import CHANNEL, documents, history, sha256
from midflight_plugins.database._url import Settings

FOUND = "found as it was"
_TRIES = 10
_NOTIFY = sa.text("SELECT pg_notify(:channel, :payload)")
_MYSQL_BUSY = {1020, 1213}  # changed since it was read, deadlock
_POSTGRES_BUSY = {"40001", "40P01"}  # serialization failure, deadlock
_MEANWHILE = "another one, since a moment"


@attrs.define(eq=False)
class Writer:
    """Puts documents into one database; any thread may.

    Args:
        engine: what `open_engine` made.
        settings: the same database.
        clock: seconds since 1970.
        jitter: a number in [0, 1).
        sleep: waits for some seconds.
        step: is told the name of each step when it is done: `locked`, `kept`,
            `history`, `head`, `notified`, `committing`, `committed`.
    """

    engine: Engine
    settings: Settings
    clock: Callable[[], float]
    jitter: Callable[[], float]
    sleep: Callable[[float], None]
    step: Callable[[str], None]
    # SQLite has one writer: who waits here need not poll for its lock.
    _turn: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _pid: int = attrs.field(factory=os.getpid, init=False)

    @property
    def _backend(self) -> str:
        return backend_of(self.engine)

    def put(self, write: Write) -> int:
        """Store a write; see `Store.put`."""
        if self._pid != os.getpid():
            self._turn, self._pid = threading.Lock(), os.getpid()
        deadline = time.monotonic() + self.settings.timeout
        with self._in_turn(), errors_told(self.settings.url):
            for number in range(_TRIES):
                try:
                    return self._put_once(write)
                except DBAPIError as exc:
                    # Nothing was committed: who was in the way, or a connection that
                    # the pool had kept too long, may be gone.
                    passing = exc.connection_invalidated or _is_busy(exc)
                    late = number + 1 == _TRIES or time.monotonic() > deadline
                    if late or not passing:
                        raise
                self.sleep(self.jitter() * 0.005 * 2**number)
        raise AssertionError  # the last pass returned or raised

    @contextlib.contextmanager
    def _in_turn(self) -> Generator[None]:
        if self._backend != "sqlite":
            yield
            return
        turn = self._turn
        if not turn.acquire(timeout=self.settings.timeout):
            msg = f"database:{self.settings.url}: other writers do not come to an end"
            raise SourceUnavailableError(msg)
        try:
            yield
        finally:
            turn.release()

    def _put_once(self, write: Write) -> int:
        with self.engine.connect() as connection:
            say = connection.exec_driver_sql
            try:
                self._begin(connection)
                version, is_new = self._write(connection, write)
            except BaseException as exc:
                _undo(connection, exc)
                raise
            if not is_new:
                say("ROLLBACK")
                return version
            self.step("committing")
            try:
                say("COMMIT")
            except DBAPIError as exc:
                connection.invalidate()
                if _is_busy(exc):
                    raise
                lost = exc
            except BaseException:
                connection.invalidate()
                raise
            else:
                self.step("committed")
                return version
        return self._settled(write, lost)

    def _begin(self, connection: Connection) -> None:
        sqlite = self._backend == "sqlite"
        connection.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "BEGIN")

    # -- within the transaction --------------------------------------------------

    def _write(self, connection: Connection, write: Write) -> tuple[int, bool]:
        """Return the version, and whether it is a new one."""
        key, run = write.key, connection.execute
        query = head_of(self._backend, lock=True)
        head = run(query, {"key": key}).one_or_none()
        self.step("locked")
        actual = None if head is None else head.version
        if str(write.expected) != str(actual):
            raise self._conflict(write, _named(actual))
        if head is not None and _is_equal(connection, head, write):
            return int(head.version), False
        newest, rows = tail(connection, key, self._backend)
        running = ""
        for each in rows:
            running = each.chain or chained(running, each)
        now = datetime.fromtimestamp(self.clock(), UTC)
        newest = max(newest, actual or 0)
        known = {(each.version, each.sha) for each in rows}
        if head is not None and (head.version, head.sha) not in known:
            c, sha = history.c, sha256(history.c.data, self._backend)
            query = sa.select(sha).where(c.key == key, c.version == actual)
            taken = set(run(query).scalars())
            if head.sha not in taken:
                # What was acknowledged as a version stays what it was.
                newest += bool(taken)
                number = newest if taken else head.version
                running = _keep(connection, key, head, number, running, now)
        self.step("kept")
        link = write.link(newest + 1, now)
        chain = chained(running, link)
        run(history.insert().inline().values(data=write.data, **columns(link, chain)))
        self.step("history")
        self._move_head(connection, write, actual, attrs.evolve(link, chain=chain))
        self.step("head")
        if self._backend == "postgresql":
            payload = json.dumps({"key": key, "version": link.version})
            run(_NOTIFY, {"channel": CHANNEL, "payload": payload})
        self.step("notified")
        return link.version, True

    def _move_head(
        self, connection: Connection, write: Write, actual: int | None, link: Link
    ) -> None:
        values: dict[str, Any] = {
            "data": write.data,
            "hash": link.hash,
            "version": link.version,
            "updated_at": link.changed_at,
            "digest": link.digest,
            "chain": link.chain,
            "write_id": link.write_id,
        }
        c = documents.c
        if actual is not None:
            update = documents.update().where(c.key == write.key, c.version == actual)
            if connection.execute(update.values(values)).rowcount != 1:
                raise self._conflict(write, _MEANWHILE)
            return
        by = {"created_at": link.changed_at, "created_by": link.changed_by}
        insert = documents.insert().values(key=write.key, **values, **by)
        try:
            connection.execute(insert.inline())
        except IntegrityError:
            raise self._conflict(write, _MEANWHILE) from None

    def _conflict(self, write: Write, head: str) -> ConflictError:
        msg = (
            f"database:{self.settings.url}#{write.key}: the head is {head}, not "
            f"{_named(write.expected)}; read it again and repeat the change"
        )
        return ConflictError(msg)

    # -- after a commit whose answer was lost --------------------------------------

    def _settled(self, write: Write, lost: DBAPIError) -> int:
        """Find out what became of a write.

        The session that was to commit may still be at it. It holds the lock of the
        head row until it has ended: who gets that lock sees what it did.
        """
        deadline = time.monotonic() + self.settings.timeout
        while True:
            try:
                found = self._look_up(write)
                break
            except SQLAlchemyError:
                if time.monotonic() > deadline:
                    name = f"database:{self.settings.url}#{write.key}"
                    raise UnknownOutcomeError(name, write.id) from None
            self.sleep(0.05 + 0.2 * self.jitter())
        if found is None:
            raise unavailable(lost, self.settings.url) from None
        return found

    def _look_up(self, write: Write) -> int | None:
        with self.engine.connect() as connection:
            try:
                self._begin(connection)
                query = head_of(self._backend, lock=True)
                if connection.execute(query, {"key": write.key}).one_or_none() is None:
                    self._await_insert(connection, write)
                c = history.c
                asked = sa.select(c.version).where(c.write_id == write.id)
                version: int | None = connection.execute(asked).scalar()
            except BaseException as exc:
                _undo(connection, exc)
                raise
            connection.exec_driver_sql("ROLLBACK")
        return version

    def _await_insert(self, connection: Connection, write: Write) -> None:
        """Wait for the end of an insert of this key that is under way elsewhere.

        Before there is a row nothing can be locked: a second insert waits as well.
        """
        now = datetime.fromtimestamp(self.clock(), UTC)
        row = {"data": b"", "hash": "", "version": 0, "created_by": ""}
        insert = documents.insert().inline().values(row)
        insert = insert.values(key=write.key, created_at=now, updated_at=now)
        connection.exec_driver_sql("SAVEPOINT midflight")
        with contextlib.suppress(IntegrityError):  # it was committed, and can be seen
            connection.execute(insert)
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT midflight")


def _is_equal(connection: Connection, head: Any, write: Write) -> bool:
    """Tell whether a head already is what is to be written, and is sound."""
    if head.hash != head.sha or head.digest not in {None, write.digest}:
        return False
    if head.sha == write.sha:
        return True
    if write.same is None:
        return False
    query = sa.select(documents.c.data).where(documents.c.key == write.key)
    return write.same(connection.execute(query).scalar_one())


def _keep(
    connection: Connection,
    key: str,
    head: Any,
    version: int,
    running: str,
    now: datetime,
) -> str:
    """Keep a head that is not in history: edited by hand, or by another system."""
    link = Link(key, version, head.sha, head.sha, "unknown", now, FOUND)
    chain = chained(running, link)
    values = columns(link, chain)
    literals = [
        sa.literal(value, history.c[name].type) for name, value in values.items()
    ]
    row = sa.select(documents.c.data, *literals).where(documents.c.key == key)
    insert = history.insert().inline().from_select(["data", *values], row)
    connection.execute(insert)
    return chain


def _named(version: object) -> str:
    return "no version" if version is None else f"version {version}"


def _is_busy(exc: DBAPIError) -> bool:
    """Tell whether a transaction failed, for certain, because of others."""
    cause: Any = exc.orig
    if getattr(cause, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
        return True
    if getattr(cause, "sqlstate", None) in _POSTGRES_BUSY:
        return True
    return bool(cause.args) and cause.args[0] in _MYSQL_BUSY


def _undo(connection: Connection, exc: BaseException) -> None:
    """End a transaction; a connection that is in doubt is given up."""
    if connection.invalidated:
        return
    if isinstance(exc, Exception):
        with contextlib.suppress(SQLAlchemyError):
            connection.exec_driver_sql("ROLLBACK")
            return
    connection.invalidate()
