"""Dotted paths through a document: what stands there, and how far they lead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from midflight import Document
from midflight.errors import Path, did_you_mean

NOTHING = object()
_LOOKED_AT = 1_000  # keys, for one that is like a misspelt one


class AbsentError(LookupError):
    """Nothing stands at a path."""


class _Entries(Mapping[str, Any]):
    """The entries of modules by name, made as they are asked for."""

    def __init__(self, document: Document) -> None:
        self._modules = document.modules
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._modules[name].as_mapping()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


def tree(document: Document) -> dict[str, Any]:
    """Return a document with its modules by name, as paths go."""
    return {"modules": _Entries(document), **document.sections}


def found(content: Any, path: str) -> tuple[Path, Any]:
    """Follow a dotted path, whose keys may hold dots themselves.

    Raises:
        AbsentError: nothing stands there; says how far it leads.
    """
    there = _find(content, path, ())
    if there is None:
        raise AbsentError(_unknown(content, path))
    return there


def at(value: Any, path: Path) -> Any:
    """Return what stands at a path, or `NOTHING`."""
    for key in path:
        listed = isinstance(key, int) and isinstance(value, list | tuple)
        if listed and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            return NOTHING
    return value


def leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield what stands at or below a path: scalars, empty mappings and lists."""
    keys = _keys(value)
    if not keys:
        yield path, value
    for key in keys:
        yield from leaves(value[key], (*path, key))


def _find(value: Any, rest: str, path: Path) -> tuple[Path, Any] | None:
    if not rest:
        return path, value
    for key in _keys(value):
        head = f"[{key}]" if isinstance(key, int) else key
        tail = rest.removeprefix(head)
        if tail != rest and (not tail or tail[0] in ".["):
            there = _find(value[key], tail.removeprefix("."), (*path, key))
            if there is not None:
                return there
    return None


def _keys(value: Any) -> Iterable[str | int]:
    if isinstance(value, Mapping):
        return value
    return range(len(value)) if isinstance(value, list | tuple) else ()


def _unknown(content: Any, path: str) -> str:
    """Say how far a path leads, and what would lead on."""
    cuts = [match.start() for match in re.finditer(r"[.\[]", path)]
    for cut in (*reversed(cuts), 0):
        there = _find(content, path[:cut], ())
        if there is not None:
            break
    rest = path[cut:].removeprefix(".")
    word = next(iter(re.findall(r"\[\d+\]|[^.\[]+", rest)), rest)
    where = f"`{path[:cut]}` has no" if cut else "there is no"
    known = [*_keys(there[1])] if there else []
    named = [key for key in known[:_LOOKED_AT] if isinstance(key, str)]
    hint = did_you_mean(word, named)
    count = f"it has {len(known)} item{'' if len(known) == 1 else 's'}"
    more = count if known and not hint else hint
    return f"{where} `{word}`" + (f"; {more}" if more else "")
