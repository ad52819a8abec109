"""What differs between two documents: every module, every section."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import attrs

from midflight._document import Document, ModuleConfig
from midflight._values import same
from midflight.errors import Path, dotted


class _Absent:
    """Stands where one of two documents has no value."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()
_Change = tuple[Path, Any, Any]  # as `KeyChange`, which takes as long as the rest


class KeyChange(NamedTuple):
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
        others = list(_moved(before, after))
        added = [name for name in others if name not in before]
        removed = [name for name in others if name not in after]
        once = {*added, *removed}
        modified = [
            name for name in others if name not in once and before[name] != after[name]
        ]
        one, other = old.sections, new.sections
        sections = [
            name
            for name in sorted(_moved(one, other))
            if _differ(one.get(name, ABSENT), other.get(name, ABSENT))
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
        """Return each value that differs, of one module or of the whole."""
        every = (self.removed, self.added, self.modified) if name is None else ([name],)
        sides = (self.old.sections, self.new.sections)
        parts = itertools.chain(
            (
                _entries(("modules", each), *self.module(each))
                for each in itertools.chain(*every)
            ),
            (
                _walk((each,), *(side.get(each, ABSENT) for side in sides))
                for each in (self.sections if name is None else ())
            ),
        )
        return map(KeyChange._make, itertools.chain.from_iterable(parts))

    def paths(self, name: str) -> tuple[str, ...]:
        """Return the dotted key paths that differ in one module."""
        found = _entries(("modules", name), *self.module(name))
        return tuple([dotted(path) for path, *_ in found])


def _entries(
    path: Path, old: ModuleConfig | None, new: ModuleConfig | None
) -> list[_Change]:
    """Compare two entries; mostly they have nothing but another configuration."""
    if (
        old
        and new
        and old.type == new.type
        and old.depends_on == new.depends_on
        and not (old.extra or new.extra)
    ):
        return _walk((*path, "config"), old.config, new.config)
    return _walk(path, _plain(old), _plain(new))


def _plain(module: ModuleConfig | None) -> Any:
    entry = {} if module is None else module.as_mapping()
    return {key: item for key, item in entry.items() if key != "name"} or ABSENT


def _differ(old: Any, new: Any) -> bool:
    return old is ABSENT or new is ABSENT or not same(old, new)


def _moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    """Return the keys of what is not the same object, in the new one's order."""
    if [*old] == [*new]:  # the usual case, compared without a loop
        others = map(operator.is_not, old.values(), new.values())
        return itertools.compress(new, others)
    keys = dict.fromkeys((*new, *old))
    return [key for key in keys if old.get(key, ABSENT) is not new.get(key, ABSENT)]


def _walk(path: Path, old: Any, new: Any) -> list[_Change]:
    """Descend into mappings; report lists and scalars as a whole."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [(path, old, new)] if _differ(old, new) else []
    found = []
    for key in _moved(old, new):
        one, other = old.get(key, ABSENT), new.get(key, ABSENT)
        if isinstance(one, dict) and isinstance(other, dict):
            found += _walk((*path, key), one, other)
        elif _differ(one, other):
            found.append(((*path, key), one, other))
    return found
