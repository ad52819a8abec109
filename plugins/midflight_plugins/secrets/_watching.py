"""Notices changes of secret files, by watching the directories on the way to them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

_log = logging.getLogger("midflight.secrets")
_MOST_LINKS = 40
_FAREWELL = 2.0  # s
_COMPLETE = {"closed", "moved", "deleted"}


class Watcher:
    """Calls `notify` when one of some files may have changed.

    Watches nothing, and imports nothing for it, before there is a file to watch.

    Args:
        notify: called on a thread of the watcher; it does not wait for anything.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._lock = threading.Lock()
        self._files: frozenset[str] = frozenset()
        self._names: dict[str, set[str]] = {}
        self._armed: dict[str, tuple[tuple[int, int], Any]] = {}
        self._observer: Any = None
        self._closed = self._complained = False

    def follow(self, files: frozenset[str]) -> None:
        """Watch these files from now on; never raises for a lack of means."""
        with self._lock:
            self._files = files
            if self._closed or not (files or self._armed):
                return
            try:
                self._arm()
            except (OSError, RuntimeError) as exc:
                if not self._complained:
                    msg = "cannot watch secret files, only sweeps find a rotation: %s"
                    _log.warning(msg, exc)
                self._complained = True

    def close(self) -> None:
        """End every watch; nothing is called afterwards."""
        with self._lock:
            self._closed = True
            observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            if observer is not threading.current_thread():
                observer.join(_FAREWELL)

    def _arm(self) -> None:
        names: dict[str, set[str]] = {}
        for path in self._files:
            for directory, name in steps(path):
                names.setdefault(directory, set()).add(name)
        self._names = names
        for directory in [each for each in self._armed if each not in names]:
            self._remove(directory)
        for directory in names:
            identity = _identity(directory)
            if directory in self._armed and self._armed[directory][0] == identity:
                continue
            self._remove(directory)
            if identity is not None:
                self._add(directory, identity)

    def _add(self, directory: str, identity: tuple[int, int]) -> None:
        if self._observer is None:
            from watchdog.observers import Observer

            observer = Observer()
            observer.daemon = True
            observer.start()
            self._observer = observer
        try:
            watch = self._observer.schedule(_Handler(self, directory), directory)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        self._armed[directory] = (identity, watch)

    def _remove(self, directory: str) -> None:
        _, watch = self._armed.pop(directory, (None, None))
        if watch is not None:
            self._observer.unschedule(watch)

    def on_event(self, directory: str, paths: set[str], kind: str) -> None:
        """Take an event of a directory.

        The files may be reached another way now: whoever looks calls `follow` again.
        Not here: this thread holds a lock of the observer that `follow` waits for.
        """
        if self._closed or not (kind in _COMPLETE or _coarse(kind, paths)):
            return
        names = self._names.get(directory, set())
        near = {os.path.basename(each) for each in paths if each != directory}
        if directory in paths or names & near:
            self._notify()


class _Handler:
    """Passes the events of one directory on; watchdog asks for `dispatch` alone."""

    def __init__(self, watcher: Watcher, directory: str) -> None:
        self._watcher, self._directory = watcher, directory

    def dispatch(self, event: Any) -> None:
        paths = {
            os.fsdecode(path) for path in (event.src_path, event.dest_path) if path
        }
        try:
            self._watcher.on_event(self._directory, paths, event.event_type)
        except Exception:  # noqa: BLE001  # the watching thread must live on
            _log.exception("a secret file changed, and acting on it failed")


def _coarse(kind: str, paths: set[str]) -> bool:
    """Tell whether an event completes a change that no `closed` follows.

    A link, or a file that came from another directory, appears whole.
    """
    if kind == "created":
        return any(os.path.islink(path) or _has_text(path) for path in paths)
    return kind == "modified" and not os.path.exists("/proc/sys/fs/inotify")


def _has_text(path: str) -> bool:
    try:
        return os.path.isdir(path) or os.path.getsize(path) > 0
    except OSError:
        return False


def steps(path: str) -> list[tuple[str, str]]:
    """Return directory and name of what may change where an absolute path leads.

    That is the file, its directory, and each symbolic link on the way; of what is not
    there yet, the first part that is missing.
    """
    found: list[tuple[str, str]] = []
    here, links = "/", 0
    rest = [part for part in path.split("/") if part]
    while rest:
        part = rest.pop(0)
        if part in {".", ".."}:
            here = os.path.dirname(here) if part == ".." else here
            continue
        entry = os.path.join(here, part)
        target = _link(entry) if links < _MOST_LINKS else None
        if target is not None:
            found.append((here, part))
            links += 1
            rest = [piece for piece in target.split("/") if piece] + rest
            here = "/" if target.startswith("/") else here
        elif rest and os.path.isdir(entry):
            here = entry
        else:
            return [*found, (here, part), os.path.split(here)]
    return found


def _link(entry: str) -> str | None:
    try:
        return os.readlink(entry)
    except OSError:
        return None


def _identity(directory: str) -> tuple[int, int] | None:
    try:
        status = os.stat(directory)
    except OSError:
        return None
    return status.st_dev, status.st_ino
