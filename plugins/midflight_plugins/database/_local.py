"""SQLite: the file says that something was written, `data_version` that it counts."""

from __future__ import annotations

import ctypes
import logging
import os
import pathlib
import struct
from collections.abc import Collection
from typing import Any

from midflight.errors import SourceUnavailableError
from midflight_plugins.database._lookout import Stir, StoreLookout
from midflight_plugins.database._url import Settings

_log = logging.getLogger("midflight.database")
# A commit is visible only after the write that is noticed, and after the disk has it.
_LOOKS = (0.0, *(0.0004 * 1.6**step for step in range(17)))  # s, up to 0.74
_MODIFY, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x80, 0x100, 0x200
_OVERFLOW, _ONLYDIR = 0x4000, 0x1000000
_EVENT = struct.Struct("iIII")


class SqliteLookout(StoreLookout):
    """Looks when the file was written to, and asks the store if it was a commit."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._connection: Any = None
        self._file: tuple[int, int] | None = None
        self._version: int | None = None
        self._keys: frozenset[str] = frozenset()
        self._found: dict[str, str] = {}
        self._blind = False

    def open(self) -> None:
        """Connect, and watch the directory before anything is looked at."""
        super().open()
        self._path = pathlib.Path(self._settings.url.path or "").resolve()
        self._watch()
        self._file = self._identity()
        self._connection, self._version = self.connection(), None

    def stirred(self) -> Stir:
        """Return when to look, if the database was written to."""
        stirred = False
        for descriptor in self.descriptors:
            name = os.fsencode(self._path.name)
            ours = {name, name + b"-wal", name + b"-journal"}
            events = _parsed(_read(descriptor))
            stirred |= any(n in ours or m & _OVERFLOW for m, n in events)
        return Stir(looks=_LOOKS) if stirred else Stir()

    def tokens(self, keys: Collection[str]) -> dict[str, str]:
        """Return the tokens; the store is asked only after a commit.

        Raises:
            SourceUnavailableError: the database cannot be read.
        """
        if self._identity() != self._file:  # another file has taken its place
            self.close()
            self.open()
        wanted, version = frozenset(keys), self._data_version()
        if version != self._version or wanted != self._keys:
            self._found = super().tokens(keys)
            self._version, self._keys = version, wanted
        return self._found

    def close(self) -> None:
        """Disconnect, and stop watching the directory."""
        self._connection = None
        for descriptor in self.descriptors:
            os.close(descriptor)
        super().close()

    def _data_version(self) -> int:
        import sqlite3

        from midflight_plugins.database._engine import unavailable

        try:
            found = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as exc:
            raise unavailable(exc, self._settings.url) from None
        return int(found[0])

    def _identity(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except OSError as exc:
            msg = f"database:{self._settings.url}: {exc.strerror}"
            raise SourceUnavailableError(msg) from None
        return status.st_dev, status.st_ino

    def _watch(self) -> None:
        try:
            self.descriptors = (_inotify(self._path.parent),)
        except (OSError, AttributeError) as exc:
            if not self._blind:
                _log.warning("cannot watch for changes, only looks find them: %s", exc)
            self._blind = True


def _inotify(directory: pathlib.Path) -> int:
    """Return a descriptor that tells of writes in a directory.

    Raises:
        OSError: there is no such directory, or the system has none left.
        AttributeError: the system has no inotify.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    mask = _MODIFY | _MOVED_TO | _CREATE | _DELETE | _ONLYDIR
    if descriptor < 0:
        raise _errno()
    if libc.inotify_add_watch(descriptor, os.fsencode(directory), mask) < 0:
        error = _errno()
        os.close(descriptor)
        raise error
    return descriptor


def _errno() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""


def _parsed(events: bytes) -> list[tuple[int, bytes]]:
    """Return mask and name of each event."""
    found, at = [], 0
    while at < len(events):
        _, mask, _, size = _EVENT.unpack_from(events, at)
        at += _EVENT.size
        found.append((mask, events[at : at + size].rstrip(b"\0")))
        at += size
    return found
