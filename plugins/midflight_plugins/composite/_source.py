"""The source: layers of other sources, later ones on top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn

from midflight import Loaded, Place, hookimpl
from midflight.errors import (
    InvalidConfigurationError,
    Path,
    SourceUnavailableError,
    did_you_mean,
)
from midflight_plugins.composite._layer import Part
from midflight_plugins.composite._overlay import Overlay
from midflight_plugins.composite._places import clash_fault, place_in
from midflight_plugins.composite._spec import specs_of
from midflight_plugins.composite._watch import Watching

if TYPE_CHECKING:
    from midflight import Document, Runtime

_MERGES = ("deep", "replace")


class CompositeSource:
    """Layers of other sources as one configuration; later layers win.

    Modules are merged by name and mappings key by key; lists and single values are
    replaced. `$patch: delete` in a mapping removes what lower layers set there, and
    `$patch: replace` puts the mapping in its place. Two shapes over each other, such as
    a list over a mapping, are refused with both places.

    Every layer is required, unless it says `optional: true`: while one of those cannot
    be read, what it gave last stays, and before it gave anything it is left out. What
    a layer holds must be valid in either case.

    Args:
        layers: the lowest first. Each is a URI, a source object, a list of layers, or
            a mapping: `{type: redis, url: …}` with the options of that type, or
            `{source: URI}`; and beside that `name`, by default that of the source,
            `optional`, and `timeout`, the seconds that a call of an optional layer is
            waited for, by default 5.
        merge: `deep`, or `replace`: a module of a later layer replaces the whole
            module, and each key of its other sections the whole key.

    Raises:
        ValueError: if there is no layer, if one is given in a way that is not known,
            or if two have the same `name`. Of two that are called as their source, the
            second gets `#2` after its name.
    """

    name = "composite"

    def __init__(self, layers: Sequence[Any], *, merge: str = "deep") -> None:
        if merge not in _MERGES:
            msg = f"`merge` is `deep` or `replace`; {did_you_mean(str(merge), _MERGES)}"
            raise ValueError(msg)
        self._specs = specs_of(layers)
        self._overlay = Overlay(deep=merge == "deep")
        self._parts: tuple[Part, ...] = ()
        self._looked = False
        self._author = ""
        self._watches: set[Watching] = set()

    @classmethod
    def from_uri(cls, rest: str) -> NoReturn:
        """Refuse: layers are not written in one URI.

        Raises:
            ValueError: always; says how layers are given.
        """
        msg = (
            f"`composite:{rest}` does not say its layers; give several sources, lowest "
            "first: --source file:base.yaml --source file:prod.yaml"
        )
        raise ValueError(msg)

    # -- hooks -------------------------------------------------------------------

    @hookimpl
    def hash(self, runtime: Runtime) -> str | None:
        """Return a token made of those of the layers, `None` while one tells none."""
        parts = self._ready(runtime)
        for watching in tuple(self._watches):
            watching.rearm()
        self._look(parts)
        _raise_for([part for part in parts if part.lost])
        self._looked = True
        if any(part.error or part.seen is None for part in parts):
            return None
        return _token([(part.name, part.seen or "", "") for part in parts])

    @hookimpl
    def load(self, runtime: Runtime) -> Loaded:
        """Read the layers that may have changed, and merge.

        Raises:
            SourceUnavailableError: a required layer cannot be read.
            InvalidConfigurationError: with every fault of every layer.
        """
        parts = self._ready(runtime)
        hinted = any(part.hinted for part in parts) and all(
            part.given or part.error for part in parts
        )
        looked, self._looked = self._looked, False
        if not (looked or hinted):
            looked = self._look(parts)
        due = [part for part in parts if part.is_due(looked=looked)]
        if not due:  # somebody insists: a look of before would not do
            self._look(parts)
            due = [part for part in parts if not part.lost]
        for part in due:
            part.read()
        _raise_for(parts)
        changed = [part for part in parts if part.changed]
        self._author = _author(self._author, changed)
        merged = self._merged(parts)
        for part in changed:
            part.changed = False
        return merged

    @hookimpl
    def watch(
        self, notify: Callable[[], None], runtime: Runtime
    ) -> AbstractContextManager[object]:
        """Watch every layer by its own watch; what has none is found by sweep."""
        return Watching(self._ready(runtime), notify, self._watches)

    @hookimpl
    def stop(self) -> None:
        """Let every layer let go of what it holds."""
        for part in self._parts:
            part.stop()

    # -- inside ------------------------------------------------------------------

    def _ready(self, runtime: Runtime) -> tuple[Part, ...]:
        """Make what is not made yet, and return every layer."""
        if not self._parts:

            def wake() -> None:
                if self._watches:
                    runtime.hint()

            self._parts = tuple(Part(spec, wake) for spec in self._specs)
        for part in self._parts:
            if part.participant is None:
                part.name = self._name(part)
                part.make(runtime)
                if part.participant is not None:
                    _keep_marks(part.participant.target)
                part.name = self._name(part)
        return self._parts

    def _name(self, part: Part) -> str:
        """Return what a layer is called, unlike every other."""
        if part.spec.name:
            return part.spec.name
        name = part.source or part.spec.kind
        others = {each.name for each in self._parts if each is not part}
        others |= {spec.name for spec in self._specs}
        names = [name, *(f"{name}#{at}" for at in range(2, len(self._specs) + 2))]
        return next(each for each in names if each not in others)

    @staticmethod
    def _look(parts: Sequence[Part]) -> bool:
        for part in parts:
            part.look()
        return True

    def _merged(self, parts: Sequence[Part]) -> Loaded:
        layers = [part.sound for part in parts]
        givens = [given for given in layers if given is not None]
        document, clashes = self._overlay.merge([given.document for given in givens])

        def positions(path: Path) -> Place | None:
            return place_in(givens, path)

        faults = [fault for part in parts for fault in part.faults]
        faults += [clash_fault(clash, givens) for clash in clashes]
        if faults:
            partial = _with_types(document)
            raise InvalidConfigurationError(faults, partial, positions)
        rows = tuple(row for part in parts for row in part.rows())
        marks = [f"{row.name}@{row.version}" for row in rows if row.version is not None]
        states = [part.state for part in parts]
        told = [state for state in states if state is not None]
        return Loaded(
            document,
            version=", ".join(marks) or None,
            positions=positions,
            token=_token(told) if len(told) == len(states) else None,
            layers=rows,
            author=self._author,
        )


def _keep_marks(target: object) -> None:
    """Let a composite that is a layer say what it would remove below."""
    if isinstance(target, CompositeSource):
        target._overlay.keeps_marks = True  # noqa: SLF001  # of the same class


def _raise_for(parts: Sequence[Part]) -> None:
    """Raise if required layers are down, naming each."""
    lost = [
        f"layer `{part.name}` is down: {part.error}" for part in parts if part.is_fatal
    ]
    if lost:
        raise SourceUnavailableError("; ".join(lost))


def _author(before: str, changed: Sequence[Part]) -> str:
    """Return who made the newest change, as far as the layers tell."""
    if not changed:
        return before
    told = [part.loaded.author for part in changed if part.loaded]
    return next((author for author in reversed(told) if author), "")


def _with_types(document: Document) -> Document:
    """Leave out entries whose `type` may stand in what could not be read."""
    import attrs

    whole = document.modules
    known = {name: module for name, module in whole.items() if module.type}
    modules: Any = type(whole)
    return attrs.evolve(document, modules=modules(known))


def _token(states: Sequence[tuple[str, str, str]]) -> str:
    """Return a digest of what the layers are at."""
    import hashlib

    return hashlib.sha256(repr(states).encode(errors="replace")).hexdigest()
