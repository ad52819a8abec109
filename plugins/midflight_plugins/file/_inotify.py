"""Watch directories by watchdog's inotify thread, one hop from event to callback.

`InotifyFD` is not documented; whoever makes an `Inotify` must be ready to fall back to
the documented `Observer` on ImportError, AttributeError or TypeError. The reason to
use it: after a file is moved away, `Observer` holds every later event back for 500 ms.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import Any

from watchdog.observers.inotify_c import InotifyConstants, InotifyFD

from midflight_plugins.file._watch import Event

_MASK: Any = (
    InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_CREATE
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)
_GONE = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF


class Inotify:
    """Watches directories with one inotify descriptor and one thread of its own.

    Args:
        on_event: called on that thread.

    Raises:
        OSError: the system has no inotify instance left.
    """

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._watches: dict[str, int] = {}
        # Missing ones must be noticed before anything is started.
        _ = InotifyFD.add_callback, InotifyFD.remove_callbacks
        try:
            self._thread = InotifyFD()
        except OSError as exc:
            raise _explained(exc, "instances") from exc
        self._thread.daemon = True
        self._thread.name = "midflight-file-watch"
        self._thread.start()

    def add(self, directory: str) -> None:
        """Watch a directory, also if another of that name was watched before."""
        self.remove(directory)
        callback = _Callback(directory, self._on_event)
        identity: Any = directory
        try:
            watch = self._thread.add_callback(
                os.fsencode(directory), _MASK, callback, identity
            )
        except OSError as exc:
            raise _explained(exc, "watches") from exc
        if watch < 0:
            raise PermissionError(errno.EACCES, "directory is unreadable", directory)
        self._watches[directory] = watch

    def remove(self, directory: str) -> None:
        """Stop watching a directory, which may be gone."""
        watch: Any = self._watches.pop(directory, None)
        identity: Any = directory
        if watch is not None:
            self._thread.remove_callbacks([(watch, identity)])

    def close(self) -> threading.Thread:
        """Stop everything without waiting; return the thread to join."""
        self._watches.clear()
        self._thread.stop()
        thread: threading.Thread = self._thread
        return thread

    def alive(self) -> bool:
        """Tell whether events still come in."""
        return self._thread.is_alive()


class _Callback:
    """Turns inotify's events of one directory into ours."""

    def __init__(self, directory: str, on_event: Callable[[Event], None]) -> None:
        self._directory, self._on_event = directory, on_event

    def on_event(self, event: Any) -> None:
        name = os.fsdecode(event.name)
        if name:
            self._on_event(Event(self._directory, name, event.is_create))
        elif event.mask & _GONE:
            self._on_event(Event(self._directory))

    def on_watch_deleted(self, _watch: int) -> None:
        self._on_event(Event(self._directory))

    def on_queue_overflow(self) -> None:
        self._on_event(Event(""))


def _explained(exc: OSError, what: str) -> OSError:
    if exc.errno not in (errno.ENOSPC, errno.EMFILE):
        return exc
    msg = (
        f"no inotify {what} are left; raise fs.inotify.max_user_{what}, "
        "or stop what uses them up"
    )
    return OSError(exc.errno, msg)
