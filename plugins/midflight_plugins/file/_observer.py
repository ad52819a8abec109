"""Watch directories by watchdog's documented Observer, where there is no inotify."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from watchdog.events import (
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from midflight_plugins.file._watch import Event


class Polite:
    """Watches directories with an `Observer`.

    Args:
        on_event: called on the observer's thread.

    Raises:
        OSError: the system has no watches left.
    """

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._watches: dict[str, Any] = {}
        self._observer = Observer()
        self._observer.daemon = True
        self._observer.start()

    def add(self, directory: str) -> None:
        """Watch a directory, also if another of that name was watched before."""
        self.remove(directory)
        handler = _Handler(directory, self._on_event)
        self._watches[directory] = self._observer.schedule(handler, directory)

    def remove(self, directory: str) -> None:
        """Stop watching a directory, which may be gone."""
        watch = self._watches.pop(directory, None)
        if watch is not None:
            self._observer.unschedule(watch)

    def close(self) -> threading.Thread:
        """Stop everything without waiting; return the thread to join."""
        self._watches.clear()
        self._observer.stop()
        thread: threading.Thread = self._observer
        return thread

    def alive(self) -> bool:
        """Tell whether events still come in."""
        emitters = all(emitter.is_alive() for emitter in self._observer.emitters)
        return self._observer.is_alive() and emitters


class _Handler(FileSystemEventHandler):
    """Turns watchdog's events of one directory into ours."""

    # Where no event says that a file was closed, a modification has to do.
    _coarse = not os.path.exists("/proc/sys/fs/inotify")

    def __init__(self, directory: str, on_event: Callable[[Event], None]) -> None:
        self._directory, self._emit = directory, on_event

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass on what may complete a change."""
        path, created = os.fsdecode(event.src_path), False
        if isinstance(event, FileMovedEvent | DirMovedEvent):
            path = os.fsdecode(event.dest_path)
        elif isinstance(event, DirDeletedEvent):
            if path == self._directory:
                self._emit(Event(self._directory))
            return
        elif event.event_type == FileCreatedEvent.event_type:
            # A rename from another directory comes as a creation, and nothing follows.
            created = _is_empty(path)
        elif not isinstance(event, FileClosedEvent) and not (
            self._coarse and isinstance(event, FileModifiedEvent)
        ):
            return
        directory, name = os.path.split(path)
        if directory == self._directory:
            self._emit(Event(self._directory, name, created))


def _is_empty(path: str) -> bool:
    try:
        return os.path.getsize(path) == 0
    except OSError:
        return True
