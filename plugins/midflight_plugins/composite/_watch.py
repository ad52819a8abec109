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
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._open_now.add(self)
        self.rearm()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:  # a `rearm` that comes back late adds none to these
            self._open_now.discard(self)
            openings, self._openings = self._openings, {}
        for opening in openings.values():
            opening.alive = False
        for opening in openings.values():
            opening.leave()

    def rearm(self) -> None:
        """Open the watch of each layer that can be watched and is not yet."""
        for part in self._parts:
            if part.participant is None or not part.participant.has("watch"):
                continue
            opening = self._due(part)
            if opening is not None:
                opening.open()

    def _due(self, part: Part) -> _Opening | None:
        """Return the watch of a layer that is to be opened, unless this was left."""
        with self._lock:
            known = self._openings.get(part)
            if self not in self._open_now or (known and not known.failed):
                return None
            opening = self._openings[part] = known or _Opening(part, self._notify)
            return opening
