"""The configurations that were in force lately, to go back to."""

from __future__ import annotations

import collections
import threading
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Document
from midflight_plugins.api._loaded import overrides_layer, raw_document, stored_in

if TYPE_CHECKING:
    from midflight import Runtime

_KEY = "midflight.kept"
_KEPT = 16
# Modules of those that are kept whole, together: each full garbage collection pays for
# all of them (`Engine.recent` of the core has more of that).
_WHOLE = 2_000
Below = tuple[tuple[str, str], ...]


@attrs.frozen(eq=False)
class InForce:
    """One configuration that was in force.

    Args:
        generation: which one it was.
        digest: that of the document in force.
        raw: what was read for it, before any `transform`, while it is kept whole.
        document: what modules got, while it is kept whole.
        held: what the overrides layer held; `None` if there was no such layer.
        below: of what the other layers held, as `below_of` tells it.
    """

    generation: int
    digest: str
    raw: Document | None = None
    document: Document | None = None
    held: Document | None = None
    below: Below = ()

    @classmethod
    def of(cls, snapshot: Any) -> InForce:
        """Return what is in force."""
        raw, document = raw_document(snapshot.loaded), snapshot.document
        top, below = overrides_layer(snapshot), below_of(snapshot)
        held = None if top is None else stored_in(top)
        return cls(snapshot.generation, snapshot.digest, raw, document, held, below)

    def small(self) -> InForce:
        """Return the same without what is large."""
        return attrs.evolve(self, raw=None, document=None)


def below_of(snapshot: Any) -> Below:
    """Return the names of the layers in force, with the digests of what they hold.

    The overrides layer has no digest there; without such a layer there is nothing.
    """
    top = overrides_layer(snapshot)
    layers = () if top is None else snapshot.loaded.layers
    return tuple(
        (each.name, "" if each is top else stored_in(each).digest) for each in layers
    )


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
                ring.append(InForce.of(snapshot))
                self._shed()

    def _shed(self) -> None:
        """Keep whole only as many as are small together, the newest first."""
        room = _WHOLE
        for at in reversed(range(len(self._ring))):
            kept = self._ring[at]
            if kept.raw is None:
                return
            room -= len(kept.raw.modules)
            if room < 0:
                self._ring[at] = kept.small()

    def generation(self, number: int) -> InForce | None:
        """Return a generation, if it is remembered."""
        return next((each for each in self._all() if each.generation == number), None)

    def digest(self, digest: str) -> InForce | None:
        """Return the newest generation with a digest, if it is remembered."""
        return next((each for each in self._all() if each.digest == digest), None)

    def _all(self) -> list[InForce]:
        with self._lock:
            return list(reversed(self._ring))
