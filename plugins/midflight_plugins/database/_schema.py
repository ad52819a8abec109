"""What state the tables of a database are in, and how they are brought up to date."""

from __future__ import annotations

import enum
import logging
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from midflight.errors import PluginError, SourceUnavailableError
from midflight_plugins.database._engine import backend_of, errors_told, open_engine
from midflight_plugins.database._url import Settings, Url

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

REVISIONS = ("0001", "0002")  # oldest first; the last is what this code writes
_PATIENCE = 300.0  # seconds that one step of an upgrade may take
_LOCK = 0x6D696466  # an advisory lock, so that two upgrades do not meet


class State(enum.Enum):
    """How far the tables are."""

    NONE = "there are none"
    ORIGINAL = "the original's columns: they can be read"
    OURS = "ours: they can be read and written"


def state(connection: Connection, url: Url) -> State:
    """Tell how far the tables of a database are, by at most three short queries.

    Raises:
        SourceUnavailableError: they are of a later release.
    """
    import sqlalchemy as sa

    from midflight_plugins.database._tables import revisions

    names = set(sa.inspect(connection).get_table_names())
    if revisions.name in names:
        revision = connection.execute(sa.select(revisions.c.version_num)).scalar()
        if revision == REVISIONS[-1]:
            return State.OURS
        if revision is not None and revision not in REVISIONS:
            msg = (
                f"database:{url}: its tables are of revision {str(revision)[:40]}, "
                f"this release knows {REVISIONS[-1]}; upgrade midflight"
            )
            raise SourceUnavailableError(msg)
    there = {"config_documents", "config_document_history"} <= names
    return State.ORIGINAL if there else State.NONE


def none_there(url: Url) -> SourceUnavailableError:
    """Return the error for a database without tables."""
    command = url.command("midflight db upgrade URI")
    msg = f"database:{url} has no tables; run: {command}"
    return SourceUnavailableError(msg)


def not_ours(url: Url) -> PluginError:
    """Return the error for a write to tables that lack our columns."""
    msg = (
        f"database:{url} can be read but not written: its tables lack columns; "
        f"run: {url.command('midflight db upgrade URI')}"
    )
    return PluginError(msg)


def holds_none(url: Url, key: str) -> SourceUnavailableError:
    """Return the error for a document that is not there."""
    command = url.command("midflight put URI FILE -m WHY", key)
    msg = f"database:{url} holds no document `{key}`; put one: {command}"
    return SourceUnavailableError(msg)


def ensure(settings: Settings) -> None:
    """Create a SQLite database that is not there, or that has no tables.

    Those of a server are created by its administrator: nothing happens.
    """
    import sqlalchemy as sa

    path = settings.url.path
    if path is None:
        return
    engine = open_engine(settings.url, settings.timeout, create=True)
    try:
        with errors_told(settings.url), engine.connect() as connection:
            empty = not sa.inspect(connection).get_table_names()
        if empty:
            upgrade(settings)
    finally:
        engine.dispose()


def upgrade(settings: Settings) -> tuple[State, State]:
    """Bring the tables up to date; harmless if they are, or if others do it too.

    A SQLite file that is not there is made.

    Returns:
        The state before and after.
    """
    patience = max(settings.timeout, _PATIENCE)
    engine = open_engine(settings.url, patience, create=True)
    try:
        with errors_told(settings.url):
            return _upgraded(engine, settings.url)
    finally:
        engine.dispose()


def _upgraded(engine: Engine, url: Url) -> tuple[State, State]:
    backend = backend_of(engine)
    with closing(engine.connect()) as connection:
        say = connection.exec_driver_sql
        if backend == "sqlite":
            say("PRAGMA journal_mode=WAL")
        say({"sqlite": "BEGIN IMMEDIATE"}.get(backend, "BEGIN"))
        if backend == "postgresql":
            say(f"SELECT pg_advisory_xact_lock({_LOCK})")
        elif backend == "mysql":  # its DDL commits by itself: the lock is the session's
            say("SELECT GET_LOCK('midflight_schema', 60)")
        try:
            before = state(connection, url)
            if before is not State.OURS:
                _migrate(connection)
            after = state(connection, url)
            say("COMMIT")
        except BaseException:
            connection.invalidate()  # ends whatever is open
            raise
        if backend == "mysql":
            say("SELECT RELEASE_LOCK('midflight_schema')")
        return before, after


def _migrate(connection: Connection) -> None:
    """Run Alembic on a connection that is in a transaction of ours."""
    # Its steps say nothing to who only wants to run a service, nor does its import.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
