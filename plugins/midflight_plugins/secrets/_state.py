"""What the plugin knows of one runtime: resolvers, what was read, what came of it."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from midflight import Document, Fault, ModuleConfig, Runtime
from midflight.errors import (
    Code,
    InvalidConfigurationError,
    Path,
    PluginError,
    TransientError,
)
from midflight_plugins.schema import Described
from midflight_plugins.secrets._expand import Expander
from midflight_plugins.secrets._gaps import partial_of
from midflight_plugins.secrets._grammar import Reference
from midflight_plugins.secrets._hiding import Hider
from midflight_plugins.secrets._lookup import Found, Lookup, inputs, watched
from midflight_plugins.secrets._marks import marks_of
from midflight_plugins.secrets._names import patterns
from midflight_plugins.secrets._resolvers import Resolvers
from midflight_plugins.secrets._watching import Watcher

Uses = dict[Reference, Found]
_EVERYTHING = marks_of({"writeOnly": True})


@attrs.frozen(eq=False)
class Part:
    """A module or a section, and what it became."""

    given: Any
    made: Any
    uses: Uses


@attrs.frozen(eq=False)
class Seen:
    """What the last transform met; replaced whole, so that threads need no lock.

    Args:
        parts: by module name, or by section name below the key `""`.
        uses: every reference, and what it stood for.
        names: the patterns of further keys that were in force.
    """

    parts: Mapping[tuple[str, str], Part] = attrs.field(factory=dict)
    uses: Uses = attrs.field(factory=dict)
    names: tuple[str, ...] = ()


class State:
    """Transforms the documents of one runtime; any thread may, at any time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = weakref.ref(runtime)
        self.resolvers = Resolvers()
        self._hider = Hider(runtime)
        self._key = os.urandom(32)
        self._marks: dict[str, Described | None] = {}
        self._seen = Seen()
        self._watcher: Watcher | None = None

    # -- hooks -------------------------------------------------------------------

    def transform(self, document: Document, runtime: Runtime) -> Document:
        """Return the document with values in the place of references.

        Raises:
            InvalidConfigurationError: with every fault, and what is sound.
            TransientError: if all that is wrong may be right at another try.
        """
        last, names = self._seen, patterns()
        lookup = Lookup(self.resolvers, runtime, last.uses)
        known = last.parts if names == last.names else {}
        one = _Pass(self, runtime, lookup, known, names)
        try:
            made = one.document(document)
        finally:
            if not one.is_partial:  # what is to be resolved is still waited for
                self._seen = Seen(one.parts, lookup.found, names)
                self._follow(runtime)
        if one.faults:
            partial = partial_of(document, one.gaps)
            raise InvalidConfigurationError([*one.faults, *one.failed], partial)
        if one.failed:
            error = TransientError("; ".join(map(str, one.failed)))
            error.code = Code.E_SECRET
            raise error
        return made

    def inputs(self, runtime: Runtime) -> str | None:
        """Return a token of what the references of the last document stand for now."""
        self._follow(runtime)
        uses = self._seen.uses
        return inputs(uses, self.resolvers, runtime, self._key) if uses else None

    @contextlib.contextmanager
    def following(self, runtime: Runtime) -> Iterator[None]:
        """Hint the runtime whenever a file behind a reference may have changed."""
        watcher = self._watcher = Watcher(runtime.hint)
        try:
            self._follow(runtime)
            yield
        finally:
            self._watcher = None
            watcher.close()

    def _follow(self, runtime: Runtime) -> None:
        if self._watcher is not None:
            files = watched(self._seen.uses, self.resolvers, runtime)
            self._watcher.follow(frozenset(files))

    # -- what is secret ----------------------------------------------------------

    def expander(self, lookup: Lookup, names: tuple[str, ...]) -> Expander:
        """Return what expands one part of a document."""
        return Expander(lookup, self._hider.hide, names)

    def marks(self, type_name: str, runtime: Runtime) -> Described | None:
        """Return what a module type's schema says; where it fails, all is secret."""
        if type_name in self._marks:
            return self._marks[type_name]
        try:
            schema = runtime.schema(type_name) if type_name else None
        except PluginError:  # a type that cannot be had, or whose fields cannot be told
            schema = None
        except Exception:  # noqa: BLE001  # a plugin that fails must not uncover anything
            return _EVERYTHING
        found = self._marks[type_name] = marks_of(schema)
        return found


@attrs.define(eq=False)
class _Pass:
    """One transform of one document."""

    _state: State
    _runtime: Runtime
    _lookup: Lookup
    _known: Mapping[tuple[str, str], Part]
    _names: tuple[str, ...]
    parts: dict[tuple[str, str], Part] = attrs.field(factory=dict)
    faults: list[Fault] = attrs.field(factory=list)
    failed: list[Fault] = attrs.field(factory=list)
    gaps: set[Path] = attrs.field(factory=set)
    is_partial: bool = False

    def document(self, document: Document) -> Document:
        """Return the document itself if nothing in it had to change."""
        modules, sections = document.modules, document.sections
        changed = self._changed("modules", modules)
        others = self._changed("", sections)
        if not (changed or others):
            return document
        kind: Any = type(modules)  # the core's frozen mapping, made like a dict
        of_rest: Any = type(sections)
        return Document(
            kind({**modules, **changed}) if changed else modules,
            of_rest({**sections, **others}) if others else sections,
        )

    def _changed(self, group: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of a group that became something else."""
        changed: dict[str, Any] = {}
        known, parts, are_same = self._known, self.parts, self._lookup.are_same
        for name, value in given.items():
            key = (group, name)
            part = known.get(key)
            if (
                part is None
                or part.given is not value
                or (part.uses and not are_same(part.uses))
            ):
                part = self._made(name, value)
                if part is None:
                    continue
            parts[key] = part
            if part.made is not value:
                changed[name] = part.made
        return changed

    def _made(self, name: str, value: Any) -> Part | None:
        """Expand one part; `None` if it has faults, so that it is looked at again."""
        expander = self._state.expander(self._lookup, self._names)
        if isinstance(value, ModuleConfig):
            made: Any = self._module(value, expander)
        else:
            made = expander.value({name: value}, ())[name]
        self.faults += expander.faults
        self.failed += expander.failed
        self.gaps |= expander.gaps
        self.is_partial = self.is_partial or expander.is_partial
        bad = expander.faults or expander.failed
        return None if bad else Part(value, made, expander.uses)

    def _module(self, module: ModuleConfig, expander: Expander) -> ModuleConfig:
        path = ("modules", module.name)
        marks = self._state.marks(module.type, self._runtime)
        extra = expander.value(module.extra, path)
        if marks is _EVERYTHING:  # but numbers are shown: they cannot all be refused
            expander.hides_all, marks = True, None
        config = expander.value(module.config, (*path, "config"), marks)
        if config is module.config and extra is module.extra:
            return module
        return attrs.evolve(module, config=config, extra=extra)
