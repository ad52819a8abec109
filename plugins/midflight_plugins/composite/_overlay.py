"""Merge whole documents, again and again, doing only what a change asks for."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from midflight import Document, ModuleConfig
from midflight.errors import Path
from midflight_plugins.composite._marks import (
    ABSENT,
    PATCH,
    REPLACE,
    cleaned,
    cleaned_module,
    frozen,
)
from midflight_plugins.composite._merge import WHOLLY, Clash, laid, laid_module

Parts = Mapping[str, tuple[list[Any], Any]]
"""By name, what each layer says, lowest first, and what that is together."""


@attrs.frozen
class Clashing:
    """A layer puts one shape over another.

    Args:
        path: where.
        layer: the position of the upper layer.
    """

    path: Path
    layer: int


@attrs.frozen(eq=False)
class _Whole:
    """What came of one merge, and of which parts, for the next to start from."""

    documents: tuple[Document, ...] = ()
    modules: Parts = attrs.field(factory=dict)
    sections: Parts = attrs.field(factory=dict)
    document: Document = attrs.field(factory=Document)


@attrs.define(eq=False)
class Overlay:
    """Documents laid over each other, later ones on top.

    What only one layer has is taken as the very same object, and what was merged
    before is merged again only if one of its parts is another object than before.

    Args:
        deep: whether mappings are merged key by key; if not, a module of a later layer
            replaces the whole module, and a key of a section the whole key.
        keeps_marks: whether the result still says what it would remove below.
    """

    deep: bool = True
    keeps_marks: bool = False
    _last: _Whole = attrs.field(factory=_Whole)

    def merge(
        self, documents: Sequence[Document]
    ) -> tuple[Document, tuple[Clashing, ...]]:
        """Return what documents are together, and where they do not fit."""
        marked = [at for at, each in enumerate(documents) if PATCH in each.sections]
        base = marked[-1] if marked else 0
        above, last = tuple(documents[base:]), self._last
        if len(above) == len(last.documents) and all(
            map(operator.is_, above, last.documents)
        ):
            return last.document, ()
        merge = _Merge(self, above, last)
        whole = merge.whole()
        if not merge.clashes:
            self._last = whole
        clashes = (attrs.evolve(c, layer=c.layer + base) for c in merge.clashes)
        return whole.document, tuple(clashes)


@attrs.define(eq=False)
class _Merge:
    """One merge of documents, of which only the lowest may have a mark at its top."""

    overlay: Overlay
    documents: tuple[Document, ...]
    last: _Whole
    clashes: list[Clashing] = attrs.field(factory=list)

    def whole(self) -> _Whole:
        """Return what the documents are together."""
        parts, modules = self._changed_modules() or self._all_modules()
        values, sections = self._sections()
        return _Whole(self.documents, parts, values, Document(modules, sections))

    # -- modules -----------------------------------------------------------------

    def _changed_modules(self) -> tuple[Parts, Any] | None:
        """Merge the entries that are new; `None` if there are others than before."""
        names = _touched(self.last.documents, self.documents)
        if names is None:
            return None
        holding = [each.modules for each in self.documents]
        parts = {
            name: self._module(name, [m[name] for m in holding if name in m])
            for name in names
        }
        before = self.last.modules
        if any(
            (new is None) != (before[name][1] is None)
            for name, (_, new) in parts.items()
        ):
            self.clashes.clear()
            return None
        changed = {name: new for name, (_, new) in parts.items() if new is not None}
        modules = {**self.last.document.modules, **changed}
        return {**before, **parts}, frozen(modules)

    def _all_modules(self) -> tuple[Parts, Any]:
        """Merge all entries; those whose parts are the same are taken from before."""
        stacks: dict[str, list[ModuleConfig]] = {}
        for document in self.documents:
            for name, module in document.modules.items():
                stacks.setdefault(name, []).append(module)
        parts = {name: self._module(name, stack) for name, stack in stacks.items()}
        modules = {
            name: whole for name, (_, whole) in parts.items() if whole is not None
        }
        return parts, frozen(modules)

    def _module(
        self, name: str, stack: list[ModuleConfig]
    ) -> tuple[list[ModuleConfig], ModuleConfig | None]:
        known = self.last.modules.get(name)
        if known is not None and _same(known[0], stack):
            return known
        depth = WHOLLY if self.overlay.deep else 0
        holding = [each.modules for each in self.documents]
        lay = functools.partial(laid_module, depth=depth)
        whole = self._folded(stack, lay, lambda: _holders(holding, name))
        if self.overlay.keeps_marks:
            return stack, whole
        return stack, cleaned_module(whole)

    # -- the other sections --------------------------------------------------------

    def _sections(self) -> tuple[Parts, Any]:
        holding = [each.sections for each in self.documents]
        names = dict.fromkeys(itertools.chain(*holding))
        mark = holding[0].get(PATCH) if holding else None
        names.pop(PATCH, None)
        parts = {name: self._section(name, holding) for name in names}
        whole = {name: new for name, (_, new) in parts.items() if new is not ABSENT}
        if mark and self.overlay.keeps_marks:
            alone = len(self.documents) == 1
            whole[PATCH] = mark if alone else REPLACE
        before = self.last.document.sections
        if list(whole) == list(before) and _same(whole.values(), before.values()):
            return parts, before
        return parts, frozen(whole)

    def _section(
        self, name: str, holding: list[Mapping[str, Any]]
    ) -> tuple[list[Any], Any]:
        stack = [each[name] for each in holding if name in each]
        known = self.last.sections.get(name)
        if known is not None and _same(known[0], stack):
            return known
        depth = WHOLLY if self.overlay.deep else 1

        def lay(lower: Any, upper: Any, clash: Clash) -> Any:
            return laid(lower, upper, (name,), depth, clash)

        whole = self._folded(stack, lay, lambda: _holders(holding, name))
        return stack, whole if self.overlay.keeps_marks else cleaned(whole)

    def _folded(
        self,
        stack: list[Any],
        lay: Callable[..., Any],
        holders: Callable[[], list[int]],
    ) -> Any:
        """Lay the values of a stack over each other, and note where they clash."""
        whole = stack[0]
        for at, upper in enumerate(stack[1:], 1):

            def clash(path: Path, at: int = at) -> None:
                self.clashes.append(Clashing(path, holders()[at]))

            whole = lay(whole, upper, clash=clash)
        return whole


def _same(one: Iterable[Any], other: Iterable[Any]) -> bool:
    """Tell whether two stacks hold the very same objects."""
    pairs = itertools.zip_longest(one, other, fillvalue=ABSENT)
    return all(mine is theirs for mine, theirs in pairs)


def _holders(holding: list[Mapping[str, Any]], name: str) -> list[int]:
    return [at for at, each in enumerate(holding) if name in each]


def _touched(
    before: tuple[Document, ...], after: tuple[Document, ...]
) -> dict[str, None] | None:
    """Return the modules with a new entry in a layer, `None` if the names differ."""
    if len(before) != len(after):
        return None
    touched: dict[str, None] = {}
    for old, new in zip(before, after, strict=True):
        if old.modules is not new.modules:
            if list(old.modules) != list(new.modules):
                return None
            touched.update(dict.fromkeys(moved(old.modules, new.modules)))
    return touched


def moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the names whose object in `new` is not the one in `old`."""
    if list(old) == list(new):  # the usual case, compared without a loop
        differs = map(operator.is_not, old.values(), new.values())
        return list(itertools.compress(new, differs))
    return [name for name, value in new.items() if old.get(name, ABSENT) is not value]
