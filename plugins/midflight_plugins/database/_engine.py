"""Engines: how each kind of database is connected to, within its deadline."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from midflight.errors import MissingDependencyError, SourceUnavailableError, plain
from midflight_plugins.database._url import Url

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

_EXTRAS = {"postgresql": ("psycopg", "postgres"), "mysql": ("PyMySQL", "mysql")}
_POOL = 5  # connections that are kept; as many again are opened for a burst


def open_engine(url: Url, timeout: float = 5.0, *, create: bool = False) -> Engine:
    """Return an engine whose connects and statements end within `timeout` seconds.

    Nothing is connected yet. Every statement commits by itself: who needs a
    transaction says BEGIN and COMMIT, and so knows which of them failed.

    Args:
        url: the database; its references are looked up again at each connect, so that
            a password can be exchanged.
        timeout: seconds.
        create: whether a SQLite file that is not there is made.

    Raises:
        MissingDependencyError: the database's driver is not installed.
        PluginError: the URL is none.
    """
    import sqlalchemy as sa

    resolved = url.resolve()
    backend = resolved.get_backend_name().replace("mariadb", "mysql")
    connectors: dict[str, Callable[[Engine, URL, float], Any]] = {
        "postgresql": _postgres,
        "mysql": _mysql,
        "sqlite": _create_sqlite if create else _sqlite,
    }
    options: dict[str, Any] = {}
    if backend == "postgresql":
        options["use_native_hstore"] = False  # it would ask at each connect
    engine: Engine
    try:
        engine = sa.create_engine(
            f"{resolved.drivername}://",
            creator=lambda: connectors[backend](engine, url.resolve(), timeout),
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            poolclass=sa.QueuePool,
            pool_size=_POOL,
            max_overflow=_POOL,
            pool_timeout=timeout,
            pool_use_lifo=True,
            hide_parameters=True,
            **options,
        )
    except ImportError:
        library, extra = _EXTRAS[backend]
        what = f"the database source for {backend}"
        raise MissingDependencyError(what, library, extra) from None
    if backend == "sqlite":
        _follow_file(engine, Path(resolved.database or ""))
    return engine


@contextmanager
def errors_told(url: Url) -> Generator[None]:
    """Turn the errors of SQLAlchemy and its drivers into `SourceUnavailableError`."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as exc:
        # Neither its text nor its cause: those hold SQL, parameters and the DSN.
        raise unavailable(exc, url) from None


def unavailable(exc: BaseException, url: Url) -> SourceUnavailableError:
    """Say what a driver said, in one line without SQL and secrets."""
    cause = getattr(exc, "orig", None) or exc
    args = [arg for arg in getattr(cause, "args", ()) if isinstance(arg, str)]
    lines = (args[0] if args else "").strip().splitlines()
    text = plain(url.scrub(lines[0])) if lines else "no further word"
    msg = f"database:{url}: {type(cause).__name__}: {text}"
    return SourceUnavailableError(msg)


def backend_of(engine: Engine) -> str:
    """Return `sqlite`, `postgresql` or `mysql`, which MariaDB is too."""
    return str(engine.dialect.name).replace("mariadb", "mysql")


# -- SQLite ------------------------------------------------------------------------


def _sqlite(_engine: Engine, url: URL, timeout: float, mode: str = "rw") -> Any:
    import sqlite3

    path = f"file:{quote(url.database or '')}?mode={mode}"
    try:
        connection = sqlite3.connect(
            path, timeout, isolation_level=None, check_same_thread=False, uri=True
        )
    except sqlite3.OperationalError:
        _tell_missing(Path(url.database or ""))
        raise
    # An acknowledged version survives the loss of power.
    connection.execute("PRAGMA synchronous=FULL")
    connection.create_function("midflight_sha256", 1, _hex, deterministic=True)
    return connection


def _tell_missing(path: Path) -> None:
    """Say which file or folder is not there, if that is why it cannot be opened."""
    if not path.parent.exists():
        msg = f"there is no folder {path.parent} for {path.name}"
    elif not path.exists():
        msg = f"there is no file {path}; `midflight put` makes it"
    else:
        return
    raise SourceUnavailableError(msg) from None


def _create_sqlite(engine: Engine, url: URL, timeout: float) -> Any:
    return _sqlite(engine, url, timeout, "rwc")


def _follow_file(engine: Engine, path: Path) -> None:
    """Give up a connection when another file was put in the place of its own."""
    from sqlalchemy import event, exc

    def identity() -> tuple[int, int] | None:
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def connected(_connection: Any, record: Any) -> None:
        record.info["file"] = identity()

    def checked_out(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["file"] != identity():
            raise exc.DisconnectionError

    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", checked_out)


def _hex(data: bytes | str | None) -> str | None:
    if data is None:
        return None
    raw = data.encode() if isinstance(data, str) else bytes(data)
    return hashlib.sha256(raw).hexdigest()


# -- MariaDB and MySQL -------------------------------------------------------------


def _mysql(engine: Engine, url: URL, timeout: float) -> Any:
    import pymysql

    seconds = max(1, math.ceil(timeout))
    session = (
        f"SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = {seconds}"
        # A client that vanished must not keep its lock; MySQL has no such limit.
        f"/*M! , idle_transaction_timeout = {seconds}, max_statement_time = {timeout}*/"
    )
    given: dict[str, Any] = {
        "charset": "utf8mb4",
        "connect_timeout": timeout,
        "read_timeout": timeout,
        "write_timeout": timeout,
        "init_command": session,
    }
    args, kwargs = engine.dialect.create_connect_args(url)
    if "password" in kwargs:  # which the driver would write as latin-1
        kwargs["password"] = str(kwargs["password"]).encode()
    try:
        return pymysql.connect(*args, **{**given, **kwargs})
    except RuntimeError as exc:  # it lacks a library for this way to log in
        raise pymysql.OperationalError(str(exc)) from None
    except (TypeError, ValueError, AttributeError, LookupError, OSError) as exc:
        msg = f"its driver does not take the options of the URL: {type(exc).__name__}"
        raise pymysql.OperationalError(msg) from None


# -- PostgreSQL --------------------------------------------------------------------


def _postgres(engine: Engine, url: URL, timeout: float) -> Any:
    args, kwargs = engine.dialect.create_connect_args(url)
    return connect_postgres(args, kwargs, timeout)


def connect_postgres(args: Any, kwargs: Any, timeout: float) -> Any:
    """Connect by psycopg so that every statement ends within `timeout` seconds.

    The server is told, and the socket; and since neither helps where a peer's kernel
    acknowledges and nobody answers, the client looks at the clock itself.
    """
    import psycopg

    milliseconds = max(1, round(timeout * 1000))
    limits = (
        f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} "
        f"-c idle_in_transaction_session_timeout={milliseconds}"
    )
    given = {
        "connect_timeout": max(1, math.ceil(timeout)),
        "application_name": "midflight",
        "keepalives_idle": max(1, math.ceil(timeout)),
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "tcp_user_timeout": milliseconds,
        "options": limits,
        "prepare_threshold": None,  # poolers between us and the server forget them
    }

    class Limited(psycopg.Connection[Any]):
        """A connection on which nothing waits longer than `timeout`."""

        def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
            limited = _limited(gen, time.monotonic() + timeout, psycopg)
            try:
                return super().wait(limited, *args, **kwargs)
            except psycopg.OperationalError as exc:
                if isinstance(exc.__cause__, TimeoutError):
                    self.close()
                raise

    return Limited.connect(*args, **{**given, **kwargs})


def _limited(gen: Any, deadline: float, psycopg: Any) -> Generator[Any, Any, Any]:
    """Run psycopg's generator, which is resumed at least ten times a second."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                gen.close()
                msg = "the server does not answer"
                raise psycopg.OperationalError(msg) from TimeoutError(msg)
            wanted = gen.send(ready)
    except StopIteration as done:
        return done.value
