"""Which values a JSON Schema marks as secret: every `writeOnly`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

Schema = Mapping[str, Any]
_MEANWHILE = ("allOf", "anyOf", "oneOf")  # each of them may describe the same value
_ALSO = ("if", "then", "else")


@attrs.frozen(eq=False)
class Marks:
    """What a schema says of one value and of what is below it.

    Args:
        root: the whole schema, to which `$ref` leads.
        parts: all the subschemas that describe the value.
    """

    _root: Schema
    _parts: tuple[Schema, ...]

    @property
    def hides(self) -> bool:
        """Whether the value is a secret, with every string below it."""
        return any(part.get("writeOnly") is True for part in self._parts)

    def below(self, key: str | int) -> Marks | None:
        """Return the marks of a key's or an item's value, if there may be any."""
        step = _items if isinstance(key, int) else _properties
        found = [each for part in self._parts for each in step(part, key)]
        return _marks(self._root, found)


def marks_of(schema: Schema | None) -> Marks | None:
    """Return the marks of a schema, or `None` if it has none at all."""
    if schema is None or not _mentions(schema):
        return None
    return _marks(schema, [schema])


def _mentions(part: Any) -> bool:
    if isinstance(part, Mapping):
        marked = part.get("writeOnly") is True
        return marked or any(map(_mentions, part.values()))
    return isinstance(part, list | tuple) and any(map(_mentions, part))


def _marks(root: Schema, schemas: list[Any]) -> Marks | None:
    seen: dict[int, Schema] = {}
    todo = schemas
    while todo:
        part = todo.pop()
        if isinstance(part, Mapping) and id(part) not in seen:
            seen[id(part)] = part
            todo.extend(_same(root, part))
    return Marks(root, tuple(seen.values())) if seen else None


def _same(root: Schema, part: Schema) -> Iterator[Any]:
    """Yield the subschemas that describe the same value."""
    for word in _MEANWHILE:
        yield from _list(part.get(word))
    yield from (part[word] for word in _ALSO if word in part)
    yield from _values(part.get("dependentSchemas"))
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        yield _pointed(root, reference[1:])


def _properties(part: Schema, key: Any) -> Iterator[Any]:
    properties = part.get("properties")
    known = isinstance(properties, Mapping) and key in properties
    if known:
        yield part["properties"][key]
    patterns = part.get("patternProperties")
    for pattern, schema in patterns.items() if isinstance(patterns, Mapping) else ():
        if re.search(pattern, key):
            known = True
            yield schema
    if not known:
        yield part.get("additionalProperties")
        yield part.get("unevaluatedProperties")


def _items(part: Schema, key: Any) -> Iterator[Any]:
    fixed = [*_list(part.get("prefixItems")), *_list(part.get("items"))]
    if key < len(fixed):
        yield fixed[key]
    else:
        yield part.get("items")
        yield part.get("additionalItems")
        yield part.get("unevaluatedItems")
    yield part.get("contains")


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else []


def _pointed(root: Schema, pointer: str) -> Any:
    """Return what a JSON Pointer leads to; `None` if it leads nowhere."""
    here: Any = root
    for word in pointer.split("/")[1:]:
        key = word.replace("~1", "/").replace("~0", "~")
        if isinstance(here, Mapping):
            here = here.get(key)
        elif isinstance(here, list | tuple) and key.isdigit() and int(key) < len(here):
            here = here[int(key)]
        else:
            return None
    return here
