"""The configurations that were in force lately, to go back to."""

from __future__ import annotations

import collections
import threading
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Document, Loaded

if TYPE_CHECKING:
    from midflight import Runtime

_KEY = "midflight.kept"
_KEPT = 16  # they share what did not change


@attrs.frozen(eq=False)
class InForce:
    """One configuration that was in force.

    Args:
        generation: which one it was.
        digest: that of the document in force.
        loaded: what was read for it, before any `transform`.
    """

    generation: int
    digest: str
    loaded: Loaded


class Kept:
    """Remembers the newest generations of a runtime; `Kept.of(runtime)` is the one."""

    def __init__(self) -> None:
        self._ring: collections.deque[InForce] = collections.deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    @classmethod
    def of(cls, runtime: Runtime) -> Kept:
        """Return the one object of a runtime."""
        there = runtime.shared.get(_KEY)
        if there is None:
            there = runtime.shared.setdefault(_KEY, cls())
        assert isinstance(there, cls)
        return there

    def note(self, snapshot: Any) -> None:
        """Remember what is in force, unless it is remembered."""
        loaded = snapshot.loaded
        if loaded is None or not isinstance(loaded.document, Document):
            return
        with self._lock:
            ring = self._ring
            if not ring or ring[-1].generation < snapshot.generation:
                made = InForce(snapshot.generation, snapshot.digest, loaded)
                ring.append(made)

    def generation(self, number: int) -> InForce | None:
        """Return a generation, if it is remembered."""
        return next((each for each in self._all() if each.generation == number), None)

    def digest(self, digest: str) -> InForce | None:
        """Return the newest generation with a digest, if it is remembered."""
        return next((each for each in self._all() if each.digest == digest), None)

    def _all(self) -> list[InForce]:
        with self._lock:
            return list(reversed(self._ring))
