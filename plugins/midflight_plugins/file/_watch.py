"""Notice changes of files by watching the directories on the way to them."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol, Self

import attrs

_log = logging.getLogger("midflight.file")
_STUCK = 5.0
_FAREWELL = 2.0
_MAX_LINKS = 40


@attrs.frozen
class Event:
    """Something happened to a name in a watched directory.

    Args:
        directory: as it was given to `Backend.add`.
        name: the entry; empty if the directory itself is meant, or everything.
        created: whether the entry appeared there and may still be written to.
    """

    directory: str
    name: str = ""
    created: bool = False


class Backend(Protocol):
    """Watches directories, not recursively."""

    def add(self, directory: str) -> None:
        """Watch a directory, also if another of that name was watched before."""

    def remove(self, directory: str) -> None:
        """Stop watching a directory, which may be gone."""

    def close(self) -> threading.Thread:
        """Stop everything without waiting; return the thread to join."""

    def alive(self) -> bool:
        """Tell whether events still come in."""


def interests(path: str) -> dict[str, set[str]]:
    """Return the names to look out for, by directory, to notice a change of a file.

    Those are the file, every symbolic link on the way to it, and the directories that
    hold one of them, so that a replaced directory is seen as well. A directory that is
    not there yet is awaited in the one that would hold it.
    """
    steps: list[tuple[str, str, bool]] = []
    rest = [part for part in os.path.abspath(path).split("/") if part]
    here, links = "/", 0
    while rest:
        part = rest.pop(0)
        if part in (".", ".."):
            here = os.path.dirname(here) if part == ".." else here
            continue
        entry = os.path.join(here, part)
        target = _link(entry) if links < _MAX_LINKS else None
        steps.append((here, part, target is not None))
        if target is not None:
            links += 1
            rest = [piece for piece in target.split("/") if piece] + rest
            here = "/" if target.startswith("/") else here
            continue
        if rest and not os.path.isdir(entry):
            break
        here = entry
    found: dict[str, set[str]] = {}
    for at, (directory, part, link) in enumerate(steps):
        last = at >= len(steps) - 2
        if link or last or steps[at + 1][2]:
            found.setdefault(directory, set()).add(part)
    return found


def _link(entry: str) -> str | None:
    try:
        return os.readlink(entry)
    except (OSError, ValueError):  # the name may be none that a file can have
        return None


def _identity(directory: str) -> tuple[int, int] | None:
    try:
        status = os.stat(directory)
    except (OSError, ValueError):  # the name may be none that a file can have
        return None
    return status.st_dev, status.st_ino


def _may_be_unfinished(path: str) -> bool:
    """Tell whether an entry that appeared is a file somebody is about to write."""
    try:
        status = os.lstat(path)
    except OSError:
        return True
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


class Watch:
    """Calls `notify` when one of some files may have changed.

    Args:
        files: returns absolute paths of the files as they are now.
        notify: called on the watching thread, which it may keep.
        entered: holds this watch while it is entered.
        backend: makes the thing that watches directories; for tests.
    """

    def __init__(
        self,
        files: Callable[[], Iterable[str]],
        notify: Callable[[], None],
        entered: set[Watch],
        backend: Callable[[Callable[[Event], None]], Backend] | None = None,
    ) -> None:
        self._files, self._notify, self._entered = files, notify, entered
        self._make = backend or _backend
        self._backend: Backend | None = None
        self._lock = threading.RLock()
        self._names: dict[str, set[str]] = {}
        self._armed: dict[str, tuple[int, int] | None] = {}
        self._closed = False
        self._busy: tuple[int, float] | None = None
        self._complained = False
        self._process = os.getpid()

    def __enter__(self) -> Self:
        self._backend = self._make(self._on_event)
        try:
            self._arm()
        except OSError:
            self._backend.close().join()
            raise
        self._entered.add(self)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._entered.discard(self)
        if self._is_left_behind:
            return
        with self._lock:
            self._closed = True
            backend, self._backend = self._backend, None
        if backend is not None:
            thread = backend.close()
            if thread is not threading.current_thread():
                # A callback that hangs must not hang the shutdown as well.
                thread.join(_FAREWELL)

    def rearm(self) -> None:
        """Watch what has to be watched now; never raises for a lack of means."""
        if self._is_left_behind:
            self._entered.discard(self)
            return
        try:
            with self._lock:
                if not self._closed:
                    self._revive()
                    self._arm()
        except (OSError, RuntimeError) as exc:
            if not self._complained:
                _log.warning("cannot watch for changes, only sweeps find them: %s", exc)
            self._complained = True
        else:
            self._complained = False

    @property
    def _is_left_behind(self) -> bool:
        """Whether this is a forked child: who follows the file there opens a watch.

        The thread is the parent's, so is the descriptor, and the lock may be held.
        """
        return self._process != os.getpid()

    def _revive(self) -> None:
        """Replace a watcher whose thread died, or hangs in a callback."""
        busy, backend = self._busy, self._backend
        stuck = (
            busy is not None
            and busy[0] != threading.get_ident()
            and time.monotonic() - busy[1] > _STUCK
        )
        if backend is not None and backend.alive() and not stuck:
            return
        if backend is not None:
            backend.close()
        self._busy, self._backend, self._armed = None, None, {}
        self._backend = self._make(self._on_event)

    def _arm(self) -> None:
        with self._lock:
            wanted: dict[str, set[str]] = {}
            for path in self._files():
                for directory, names in interests(path).items():
                    wanted.setdefault(directory, set()).update(names)
            backend = self._backend
            if backend is None:
                return
            self._names = wanted
            for directory in [name for name in self._armed if name not in wanted]:
                del self._armed[directory]
                backend.remove(directory)
            for directory in wanted:
                identity = _identity(directory)
                if self._armed.get(directory) != identity or identity is None:
                    self._armed.pop(directory, None)
                    if identity is not None and self._add(backend, directory):
                        self._armed[directory] = identity

    def _add(self, backend: Backend, directory: str) -> bool:
        try:
            backend.add(directory)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return False
        return True

    def _on_event(self, event: Event) -> None:
        if self._closed:
            return
        if event.name:
            if event.name not in self._names.get(event.directory, ()):
                return
            entry = os.path.join(event.directory, event.name)
            if event.created and _may_be_unfinished(entry):
                return
            if not os.path.isdir(entry) and not os.path.islink(entry):
                self._call()
                return
        elif event.directory:
            with self._lock:
                self._armed.pop(event.directory, None)
        self.rearm()
        self._call()

    def _call(self) -> None:
        self._busy = mine = (threading.get_ident(), time.monotonic())
        try:
            if not self._closed:
                self._notify()
        except BaseException:  # noqa: BLE001  # the watching thread must live on
            _log.exception("a change was noticed, and acting on it failed")
        finally:
            if self._busy is mine:
                self._busy = None


def _backend(on_event: Callable[[Event], None]) -> Backend:
    """Return the fastest way to watch directories that works here.

    Raises:
        OSError: the system has no watches left.
    """
    try:
        from midflight_plugins.file._inotify import Inotify

        return Inotify(on_event)
    except (ImportError, AttributeError, TypeError):
        from midflight_plugins.file._observer import Polite

        return Polite(on_event)
