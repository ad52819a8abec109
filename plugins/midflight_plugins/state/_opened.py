"""Everything in one state directory, opened together."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Mapping

from midflight_plugins.state._crashes import Crashes
from midflight_plugins.state._folder import Folder
from midflight_plugins.state._journal import FILE, Journal
from midflight_plugins.state._lastgood import LastGood
from midflight_plugins.state._seal import key_for
from midflight_plugins.state._texts import Encoder

_log = logging.getLogger("midflight")
RECORDS = 10_000
_DAY = 86_400.0
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Opened:
    """The parts of a state directory that this process has to itself.

    Args:
        folder: the directory.
        environ: where the key and the journal's limits are named.
        run: the name of this run of the process, which its own markers bear.
        encoder: writes the configurations that are kept.
        crash: what the process before has left a marker of, if it has.

    Raises:
        OSError, sqlite3.Error, StateError: if any part cannot be opened.
    """

    def __init__(
        self, folder: Folder, environ: Mapping[str, str], run: str, encoder: Encoder
    ) -> None:
        self.folder = folder
        with contextlib.ExitStack() as failed:
            failed.callback(folder.close)
            key = key_for(folder.path, folder.disk, environ)
            self.crashes = Crashes(folder.path, folder.disk, run)
            self.crash = self.crashes.count()
            self.last_good = LastGood(folder.path, folder.disk, key, encoder)
            failed.pop_all()
        self._environ = environ
        self._journal: Journal | None = None

    @property
    def journal(self) -> Journal:
        """The journal, opened when it is first needed: its fault is nobody else's.

        Raises:
            OSError, sqlite3.Error, StateError: if it cannot be opened.
        """
        if self._journal is None:
            self._journal = _journal(self.folder, self._environ)
        return self._journal

    def close(self) -> None:
        """Let go of the journal and of the directory."""
        if self._journal is not None:
            with contextlib.suppress(sqlite3.Error):
                self._journal.close()
        self.folder.close()


def _journal(folder: Folder, environ: Mapping[str, str]) -> Journal:
    """Open the journal; one that is damaged is moved aside and kept."""
    keep = int(_positive(environ, "MIDFLIGHT_JOURNAL_RECORDS", RECORDS))
    days = _positive(environ, "MIDFLIGHT_JOURNAL_DAYS", 0.0)
    age = days * _DAY if days else None
    try:
        return Journal(folder, keep, age)
    except (sqlite3.DatabaseError, ValueError, TypeError) as exc:
        # What is no error of SQLite is a damaged schema, or a value of another type.
        code = getattr(exc, "sqlite_errorcode", None)
        if isinstance(exc, sqlite3.Error) and code not in _DAMAGED:
            raise
        path = folder.path / FILE
        aside = path.with_name(f"{FILE}.damaged-{time.time_ns()}")
        _log.error("E_STATE: %s is damaged and moved to %s: %s", path, aside, exc)
        folder.disk.rename(path, aside)
        for tail in ("-wal", "-shm"):
            folder.disk.unlink(path.with_name(path.name + tail))
        return Journal(folder, keep, age)


def _positive(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    try:
        number = float(text or default)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf") and text:
        _log.warning("E_STATE: %s is ignored: `%s` is no number above 0", name, text)
        return default
    return number


def run_name() -> str:
    """Return a name that no other run of a process has."""
    return os.urandom(8).hex()
