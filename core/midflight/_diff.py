"""What differs between two documents: every module, every section."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator
from typing import Any

import attrs

from midflight._document import Document, ModuleConfig
from midflight._values import same
from midflight.errors import Path, dotted


class _Absent:
    """Stands where one of two documents has no value."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()


@attrs.frozen
class KeyChange:
    """One value that differs; a side that has none holds `ABSENT`."""

    path: Path
    old: Any
    new: Any

    @property
    def sides(self) -> dict[str, Any]:
        """Return `old` and `new` by name, without a side that has no value."""
        both = {"old": self.old, "new": self.new}
        return {side: value for side, value in both.items() if value is not ABSENT}


@attrs.frozen
class Diff:
    """What differs between two documents, as a value with a way back.

    Args:
        old: the document before.
        new: the document after.
        added: names of modules that only the new one has, in its order.
        removed: names of modules that only the old one has, in its order.
        modified: names of modules whose entries differ, in the new one's order.
        sections: names of the other sections that differ, sorted.
    """

    old: Document = attrs.field(repr=False)
    new: Document = attrs.field(repr=False)
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()

    @classmethod
    def between(cls, old: Document, new: Document) -> Diff:
        """Compare two documents; shared parts are recognised by identity first."""
        before, after = old.modules, new.modules
        added: list[str] = []
        removed: list[str] = []
        if list(before) == list(after):  # the usual case, compared without a loop
            moved = map(operator.is_not, before.values(), after.values())
            common = list(itertools.compress(after, moved))
        else:
            common = [name for name in after if name in before]
            added = [name for name in after if name not in before]
            removed = [name for name in before if name not in after]
        modified = [name for name in common if before[name] != after[name]]
        sides = old.sections, new.sections
        sections = [
            name
            for name in sorted({*old.sections, *new.sections})
            if _differ(*(side.get(name, ABSENT) for side in sides))
        ]
        return cls(old, new, *map(tuple, (added, removed, modified, sections)))

    def inverted(self) -> Diff:
        """Return the way back: what `between(new, old)` would give."""
        return Diff.between(self.new, self.old)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.modified or self.sections)

    @property
    def unchanged(self) -> tuple[str, ...]:
        """Names of modules that both documents hold alike."""
        touched = {*self.added, *self.modified}
        return tuple(name for name in self.new.modules if name not in touched)

    def module(self, name: str) -> tuple[ModuleConfig | None, ModuleConfig | None]:
        """Return the entries of one module before and after."""
        return self.old.modules.get(name), self.new.modules.get(name)

    def key_changes(self, name: str | None = None) -> Iterator[KeyChange]:
        """Yield each value that differs, of one module or of the whole."""
        every = (self.removed, self.added, self.modified) if name is None else ([name],)
        for each in itertools.chain(*every):
            old, new = (_plain(side) for side in self.module(each))
            yield from _walk(("modules", each), old, new)
        for section in self.sections if name is None else ():
            sides = (self.old.sections, self.new.sections)
            old, new = (side.get(section, ABSENT) for side in sides)
            yield from _walk((section,), old, new)

    def paths(self, name: str) -> tuple[str, ...]:
        """Return the dotted key paths that differ in one module."""
        return tuple(dotted(change.path) for change in self.key_changes(name))


def _plain(module: ModuleConfig | None) -> Any:
    entry = {} if module is None else module.as_mapping()
    return {key: item for key, item in entry.items() if key != "name"} or ABSENT


def _differ(old: Any, new: Any) -> bool:
    return old is ABSENT or new is ABSENT or not same(old, new)


def _walk(path: Path, old: Any, new: Any) -> Iterator[KeyChange]:
    """Descend into mappings; report lists and scalars as a whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            one, other = old.get(key, ABSENT), new.get(key, ABSENT)
            if isinstance(one, dict) or _differ(one, other):
                yield from _walk((*path, key), one, other)
    elif _differ(old, new):
        yield KeyChange(path, old, new)
