"""What the plugin knows of one runtime: resolvers, what was read, what came of it."""

from __future__ import annotations

import contextlib
import itertools
import operator
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
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
_NOTHING = object()


@attrs.frozen(eq=False)
class Group:
    """The modules, or the other sections, that the last transform was given.

    Args:
        given: as they were given.
        made: what each became; `given` itself if all stayed as they were.
        uses: the references in each that has some.
        amiss: names of those that were at fault, which are looked at again.
    """

    given: Mapping[str, Any] = attrs.field(factory=dict)
    made: Mapping[str, Any] = attrs.field(
        default=attrs.Factory(lambda self: self.given, takes_self=True)
    )
    uses: Mapping[str, Uses] = attrs.field(factory=dict)
    amiss: tuple[str, ...] = ()

    def other_in(self, given: Mapping[str, Any]) -> list[str]:
        """Return the names of what is another object now, in order; all in C."""
        before: Iterable[Any] = self.given.values()
        if list(self.given) != list(given):
            before = map(self.given.get, given, itertools.repeat(_NOTHING))
        return [
            *itertools.compress(given, map(operator.is_not, given.values(), before))
        ]

    def made_of(
        self, given: Mapping[str, Any], changed: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return what became of each, where only `changed` was looked at."""
        last = self.made
        same = all(value is given[name] for name, value in changed.items())
        if same and last is self.given:
            return given
        if list(last) == list(given):
            whole = dict(last)
        else:
            found = map(last.get, given, given.values())
            whole = dict(zip(given, found, strict=True))
        whole |= changed
        kind: Any = type(given)  # the core's frozen mapping, made like a dict
        differ = any(map(operator.is_not, whole.values(), given.values()))
        return kind(whole) if differ else given


@attrs.frozen(eq=False)
class Seen:
    """What the last transform met; replaced whole, so that threads need no lock.

    Args:
        modules: the modules.
        sections: the other sections.
        uses: every reference, and what it stood for.
        names: the patterns of further keys that were in force.
    """

    modules: Group = attrs.field(factory=Group)
    sections: Group = attrs.field(factory=Group)
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
        known = last if names == last.names else Seen()
        one = _Pass(self, runtime, lookup, names)
        modules = one.group(known.modules, document.modules)
        sections = one.group(known.sections, document.sections)
        if not one.is_partial:  # what is to be resolved is still waited for
            self._seen = Seen(modules, sections, lookup.found, names)
            self._follow(runtime)
        if one.faults:
            partial = partial_of(document, one.gaps)
            raise InvalidConfigurationError([*one.faults, *one.failed], partial)
        if one.failed:
            error = TransientError("; ".join(map(str, one.failed)))
            error.code = Code.E_SECRET
            raise error
        made = modules.made, sections.made
        same = made[0] is document.modules and made[1] is document.sections
        return document if same else Document(*made)

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
    _names: tuple[str, ...]
    faults: list[Fault] = attrs.field(factory=list)
    failed: list[Fault] = attrs.field(factory=list)
    gaps: set[Path] = attrs.field(factory=set)
    is_partial: bool = False

    def group(self, last: Group, given: Mapping[str, Any]) -> Group:
        """Expand what is not as it was; the rest became what it became then."""
        other = dict.fromkeys(last.other_in(given))
        uses = {**last.uses}
        for name in [each for each in uses if each in other or each not in given]:
            del uses[name]
        again = {*last.amiss, *self._moved(uses)}
        if again:
            again |= other.keys()
            other = dict.fromkeys(filter(again.__contains__, given))
        changed: dict[str, Any] = {}
        amiss: list[str] = []
        expander = self._state.expander(self._lookup, self._names)
        for name in other:
            changed[name] = self._made(name, given[name], expander)
            if expander.is_clean:
                uses.pop(name, None)
                continue
            if self._is_amiss(expander):
                amiss.append(name)
            elif expander.uses:
                uses[name] = expander.uses
            else:
                uses.pop(name, None)
            expander = self._state.expander(self._lookup, self._names)
        return Group(given, last.made_of(given, changed), uses, tuple(amiss))

    def _moved(self, uses: Mapping[str, Uses]) -> set[str]:
        """Return the names of what holds a reference that stands for another value."""
        before: Uses = {}
        for each in uses.values():
            before.update(each)
        moved = {
            ref for ref, found in before.items() if self._lookup.find(ref) is not found
        }
        if not moved:
            return set()
        return {name for name, each in uses.items() if not moved.isdisjoint(each)}

    def _made(self, name: str, value: Any, expander: Expander) -> Any:
        if isinstance(value, ModuleConfig):
            return self._module(value, expander)
        return expander.value({name: value}, ())[name]

    def _is_amiss(self, expander: Expander) -> bool:
        """Take over what an expander found; tell whether anything was wrong."""
        self.faults += expander.faults
        self.failed += expander.failed
        self.gaps |= expander.gaps
        self.is_partial = self.is_partial or expander.is_partial
        return bool(expander.faults or expander.failed)

    def _module(self, module: ModuleConfig, expander: Expander) -> ModuleConfig:
        path = ("modules", module.name)
        marks = self._state.marks(module.type, self._runtime)
        extra = module.extra and expander.value(module.extra, path)
        if marks is _EVERYTHING:  # but numbers are shown: they cannot all be refused
            expander.hides_all, marks = True, None
        config = expander.value(module.config, (*path, "config"), marks)
        if config is module.config and extra is module.extra:
            return module
        return attrs.evolve(module, config=config, extra=extra)
