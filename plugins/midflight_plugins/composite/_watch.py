"""The watches of all layers as one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Self

import attrs

from midflight.errors import MidflightError
from midflight_plugins.composite._layer import Part

_log = logging.getLogger("midflight.composite")


@attrs.define(eq=False)
class _Opening:
    """The watch of one layer; of an optional one it may open late."""

    part: Part
    notify: Callable[[], None]
    alive: bool = True
    failed: bool = False
    manager: AbstractContextManager[object] | None = None
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def hint(self) -> None:
        """Take a hint: mark the layer, then tell the core."""
        if self.alive:
            self.part.hint()
            self.notify()

    def enter(self) -> None:
        """Open the layer's own watch; leave it at once if nobody wants it now."""
        manager = self.part.invoke("watch", notify=self.hint)
        if manager is None:
            return
        manager.__enter__()
        with self._lock:
            if self.alive:
                self.manager = manager
                return
        manager.__exit__(None, None, None)

    def leave(self) -> None:
        """Close it; nothing comes from it any more."""
        with self._lock:
            self.alive, manager, self.manager = False, self.manager, None
        if manager is not None:
            self._tried(lambda: manager.__exit__(None, None, None), "closed")

    def open(self) -> None:
        """Open it; without it, its layer's changes are found by sweep."""
        self.failed = not self._tried(self.enter, "opened")

    def _tried(self, act: Callable[[], object], what: str) -> bool:
        try:
            self.part.call_watching(act)
        except MidflightError as exc:
            if not self.failed:
                name = self.part.name
                _log.warning("layer `%s`: watch could not be %s: %s", name, what, exc)
            return False
        return True


class Watching:
    """A context in which the hints of every layer come as hints of the whole.

    Args:
        parts: the layers.
        notify: takes each hint.
        open_now: the contexts that were entered and not left.
    """

    def __init__(
        self, parts: Sequence[Part], notify: Callable[[], None], open_now: set[Watching]
    ) -> None:
        self._parts, self._notify, self._open_now = parts, notify, open_now
        self._openings: dict[Part, _Opening] = {}

    def __enter__(self) -> Self:
        self._open_now.add(self)
        self.rearm()
        return self

    def __exit__(self, *_: object) -> None:
        self._open_now.discard(self)
        openings, self._openings = self._openings, {}
        for opening in openings.values():
            opening.alive = False
        for opening in openings.values():
            opening.leave()

    def rearm(self) -> None:
        """Open the watch of each layer that can be watched and is not yet."""
        for part in self._parts:
            opening = self._openings.get(part)
            if part.participant is None or not part.participant.has("watch"):
                continue
            if opening is None:
                opening = self._openings[part] = _Opening(part, self._notify)
                opening.open()
            elif opening.failed:
                opening.open()
