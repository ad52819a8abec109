"""What differs between two documents: every module, every section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from midflight._document import Document, ModuleConfig
from midflight._values import digest_of
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
        changed = [
            name for name, module in after.items() if module is not before.get(name)
        ]
        return cls(
            old,
            new,
            added=tuple(name for name in changed if name not in before),
            removed=tuple(name for name in before if name not in after),
            modified=tuple(
                name
                for name in changed
                if name in before and after[name] != before[name]
            ),
            sections=_sections(old.sections, new.sections),
        )

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
        names = (*self.removed, *self.added, *self.modified)
        for each in (name,) if name is not None else names:
            sides = (ABSENT if side is None else _plain(side) for side in self.module(each))
            yield from _walk(("modules", each), *sides)
        if name is None:
            for section in self.sections:
                yield from _walk(
                    (section,),
                    self.old.sections.get(section, ABSENT),
                    self.new.sections.get(section, ABSENT),
                )

    def paths(self, name: str) -> tuple[str, ...]:
        """Return the dotted key paths that differ in one module."""
        return tuple(dotted(change.path) for change in self.key_changes(name))


def _plain(module: ModuleConfig) -> dict[str, Any]:
    entry = module.as_mapping()
    del entry["name"]
    return entry


def _sections(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    names = sorted({*old, *new})
    return tuple(name for name in names if not _same(old, new, name))


def _same(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> bool:
    before, after = old.get(name, ABSENT), new.get(name, ABSENT)
    if before is after:
        return True
    if before is ABSENT or after is ABSENT:
        return False
    return digest_of(before) == digest_of(after)


def _walk(path: Path, old: Any, new: Any) -> Iterator[KeyChange]:
    """Descend into mappings; report lists and scalars as a whole."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _walk((*path, key), old.get(key, ABSENT), new.get(key, ABSENT))
    elif old is ABSENT or new is ABSENT or digest_of(old) != digest_of(new):
        yield KeyChange(path, old, new)
