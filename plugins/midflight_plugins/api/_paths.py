"""Dotted paths through a document: what stands there, and how far they lead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from midflight import Document
from midflight.errors import Path, did_you_mean

NOTHING = object()
_LOOKED_AT = 1_000  # keys, for one that is like a misspelt one
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_STEP = re.compile(
    rf'\[(?P<at>\d+)\]|(?P<dot>\.)?(?:(?P<quoted>{_QUOTED})|(?P<bare>[^."\[\]]+))'
)
_CUT = re.compile(rf"{_QUOTED}|(?P<cut>[.\[])")


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


def keys_of(path: str) -> Path:
    """Return the keys and positions of a path, as `dotted` writes it.

    Raises:
        ValueError: it is none.
    """
    keys: list[str | int] = []
    end = 0
    while end < len(path) or not keys:
        step = _STEP.match(path, end)
        if step is None or (step["at"] is None and bool(step["dot"]) != bool(keys)):
            msg = f"no path: {path}"
            raise ValueError(msg)
        end, at, quoted = step.end(), step["at"], step["quoted"]
        keys.append(json.loads(quoted) if quoted else int(at) if at else step["bare"])
    return tuple(keys)


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
    for key, tail in _steps(value, rest):
        if not tail or tail[0] in ".[":
            there = _find(value[key], tail.removeprefix("."), (*path, key))
            if there is not None:
                return there
    return None


def _steps(value: Any, rest: str) -> Iterator[tuple[str | int, str]]:
    """Yield the keys of a value that a path may begin with, and how it goes on."""
    quoted = re.match(_QUOTED, rest)
    if quoted and (key := _unquoted(quoted[0])) in _keys(value):
        yield key, rest[quoted.end() :]
    for each in _keys(value):
        head = f"[{each}]" if isinstance(each, int) else each
        if head and rest.startswith(head):
            yield each, rest[len(head) :]


def _unquoted(word: str) -> str:
    """Return a key that stands in quotes, any other word as it is."""
    try:
        return str(json.loads(word)) if word.startswith('"') else word
    except ValueError:
        return word


def _keys(value: Any) -> Iterable[str | int]:
    if isinstance(value, Mapping):
        return value
    return range(len(value)) if isinstance(value, list | tuple) else ()


def _unknown(content: Any, path: str) -> str:
    """Say how far a path leads, and what would lead on."""
    cuts = [match.start() for match in _CUT.finditer(path) if match["cut"]]
    for cut in (*reversed(cuts), 0):
        there = _find(content, path[:cut], ())
        if there is not None:
            break
    rest = path[cut:].removeprefix(".")
    word = next(iter(re.findall(rf"\[\d+\]|{_QUOTED}|[^.\[]+", rest)), rest)
    where = f"`{path[:cut]}` has no" if cut else "there is no"
    known = [*_keys(there[1])] if there else []
    named = [key for key in known[:_LOOKED_AT] if isinstance(key, str)]
    hint = did_you_mean(_unquoted(word), named)
    count = f"it has {len(known)} item{'' if len(known) == 1 else 's'}"
    more = count if known and not hint else hint
    return f"{where} `{word}`" + (f"; {more}" if more else "")
