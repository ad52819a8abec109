"""What a JSON Schema says of the value at a path; it judges no value."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

import attrs

from midflight.errors import Path, PluginError, shown

if TYPE_CHECKING:
    from midflight import Runtime

_log = logging.getLogger("midflight.schema")
_SHARED = "schema.said"
MARK = "x-midflight"
LIVE, RESTART, SECRET = MARKS = ("live", "restart", "secret")
Schema = Mapping[str, Any]
_MEANWHILE = ("allOf", "anyOf", "oneOf")  # each of them may describe the same value
_ALSO = ("if", "then", "else")
_DEFS = ("$defs", "definitions")
_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


@attrs.frozen(eq=False)
class Described:
    """What a schema says of one value.

    Args:
        root: the whole schema, to which `$ref` leads.
        parts: all the subschemas that describe the value.
        mark: `live` or `restart`, said of it or else of what it is part of.
        is_secret: whether that, or what it is part of, is said to be secret.
    """

    root: Schema
    parts: tuple[Schema, ...]
    mark: str = ""
    is_secret: bool = False

    @classmethod
    def by(cls, schema: Schema) -> Self:
        """Return what a whole schema says of the value that it is for."""
        return cls(schema, ()).of([schema])

    def of(self, schemas: list[Any]) -> Self:
        """Return what some subschemas say of a value that is part of this one."""
        parts = tuple(_all(self.root, schemas))
        said = {part.get(MARK) for part in parts}
        mark = next((word for word in (RESTART, LIVE) if word in said), self.mark)
        hidden = any(_hides(self.root, part) for part in parts)
        return attrs.evolve(
            self, parts=parts, mark=mark, is_secret=self.is_secret or hidden
        )

    def below(self, key: str | int) -> Self:
        """Return what is said of a key's or an item's value."""
        step: Any = _items if isinstance(key, int) else _properties
        found = [each for part in self.parts for each in step(part, key)]
        return self.of(found)

    def at(self, path: Path) -> Self:
        """Return what is said of the value at a path."""
        here = self
        for key in path:
            here = here.below(key)
        return here

    @property
    def marks(self) -> tuple[str, ...]:
        """The words that hold for the value."""
        return (*([self.mark] if self.mark else ()), *([SECRET] * self.is_secret))

    def mentions(self, mark: str) -> bool:
        """Tell whether a mark is said of the value or of anything below it."""
        seen: set[int] = set()
        todo: list[Any] = list(self.parts)
        while todo:
            part = todo.pop()
            if isinstance(part, list | tuple):
                todo.extend(part)
            elif isinstance(part, Mapping) and id(part) not in seen:
                seen.add(id(part))
                if part.get(MARK) == mark or (
                    mark == SECRET and _hides(self.root, part)
                ):
                    return True
                todo.extend(item for key, item in part.items() if key not in _DEFS)
                todo.extend(_referred(self.root, part))
        return mark in self.marks

    @property
    def keys(self) -> list[str]:
        """The keys that are known of a mapping."""
        return sorted({key for part in self.parts for key in _mapping(part)})

    @property
    def is_open(self) -> bool:
        """Whether a schema says that a mapping takes other keys as well."""
        return any(part.get("additionalProperties", False) for part in self.parts)

    @property
    def types(self) -> list[str]:
        """The JSON types that are allowed, beside what `choices` names."""
        named = [
            word
            for part in self.parts
            if not {"enum", "const"} & part.keys()
            for word in _list(part.get("type"))
            if isinstance(word, str)
        ]
        return list(dict.fromkeys(named))

    @property
    def choices(self) -> list[Any]:
        """The values of `enum` and `const`, if there are any."""
        fixed = [part["const"] for part in self.parts if "const" in part]
        return [each for part in self.parts for each in _list(part.get("enum"))] + fixed

    @property
    def words(self) -> str:
        """What is expected, in words: `an integer or null`; empty if anything is."""
        free = [_WORDS[word] for word in self.types if word in _WORDS]
        words = list(dict.fromkeys([*map(shown, self.choices), *free]))
        return " or ".join((", ".join(words[:-1]), words[-1]) if words[1:] else words)


def marked(said: Described) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield each key whose marks are others than those of what it is part of.

    Within lists, and in mappings with any keys, there are none to name.
    """
    todo: list[tuple[Path, Described, frozenset[int]]] = [((), said, frozenset())]
    while todo:
        path, here, above = todo.pop(0)
        classes = {id(part) for part in here.parts if _mapping(part)}
        for key in here.keys if above.isdisjoint(classes) else ():
            below = here.below(key)
            if below.marks != here.marks:
                yield (*path, key), below.marks
            todo.append(((*path, key), below, above | classes))


def said_of(runtime: Runtime, type_name: str) -> Described | None:
    """Return what is said of a module type's `config`, kept with the runtime.

    Returns:
        `None` if nothing is known of it, whatever the reason.
    """
    known: dict[str, Described | None] = runtime.shared.setdefault(_SHARED, {})
    if type_name not in known:
        known[type_name] = None
        try:
            schema = runtime.schema(type_name)
        except Exception as exc:  # noqa: BLE001  # no plugin's fault may spoil a plan
            # A type that is not there is refused, with all that are known.
            level = logging.DEBUG if type(exc) is PluginError else logging.WARNING
            text = "nothing is known of the configuration of module type `%s`: %s"
            _log.log(level, text, type_name, exc)
            return None
        known[type_name] = None if schema is None else Described.by(schema)
    return known[type_name]


def _all(root: Schema, schemas: list[Any]) -> list[Schema]:
    """Return the subschemas that describe the same value, in their order."""
    seen: dict[int, Schema] = {}
    todo = schemas[::-1]
    while todo:
        part = todo.pop()
        if isinstance(part, Mapping) and id(part) not in seen:
            seen[id(part)] = part
            todo.extend(list(_same(root, part))[::-1])
    return list(seen.values())


def _same(root: Schema, part: Schema) -> Iterator[Any]:
    yield from _referred(root, part)
    for word in _MEANWHILE:
        yield from _list(part.get(word))
    yield from (part[word] for word in _ALSO if word in part)
    yield from (part.get("dependentSchemas") or {}).values()


def _properties(part: Schema, key: Any) -> Iterator[Any]:
    known = key in _mapping(part)
    if known:
        yield part["properties"][key]
    patterns = part.get("patternProperties")
    for pattern, schema in patterns.items() if isinstance(patterns, Mapping) else ():
        if _fits(pattern, key):
            known = True
            yield schema
    if not known:
        yield part.get("additionalProperties")
        yield part.get("unevaluatedProperties")


def _fits(pattern: str, key: str) -> bool:
    """Tell whether a key fits; with a pattern that Python does not know it may."""
    try:
        return re.search(pattern, key) is not None
    except re.error:
        return True


def _items(part: Schema, key: int) -> Iterator[Any]:
    fixed = [
        each
        for word in ("prefixItems", "items")  # the second of older drafts
        if isinstance(part.get(word), list | tuple)
        for each in part[word]
    ]
    if key < len(fixed):
        yield fixed[key]
    else:
        yield from map(part.get, ("items", "additionalItems", "unevaluatedItems"))
    yield part.get("contains")


def _mapping(part: Schema) -> Mapping[str, Any]:
    found = part.get("properties")
    return found if isinstance(found, Mapping) else {}


def _list(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    return [value] if isinstance(value, str) else []


def _hides(root: Schema, part: Schema) -> bool:
    """Tell whether a subschema says secret, or leads to where that cannot be seen."""
    said = part.get(MARK) == SECRET or part.get("writeOnly") is True
    return said or None in _referred(root, part)


def _referred(root: Schema, part: Schema) -> list[Any]:
    """Return what a subschema refers to; `None` for what is not found."""
    words = (part[word] for word in ("$ref", "$dynamicRef") if word in part)
    return [_pointed(root, word) for word in words if isinstance(word, str)]


def _pointed(root: Schema, reference: str) -> Any:
    """Return what a local reference leads to; `None` if it leads nowhere."""
    if not reference.startswith("#"):
        return None
    if reference[1:2] not in {"", "/"}:
        return next(_anchored(root, reference[1:]), None)
    here: Any = root
    for word in reference[1:].split("/")[1:]:
        key = unquote(word).replace("~1", "/").replace("~0", "~")
        if isinstance(here, list | tuple) and key.isdecimal():
            here = dict(enumerate(here)).get(int(key))
        else:
            here = here.get(key) if isinstance(here, Mapping) else None
    return here


def _anchored(part: Any, name: str) -> Iterator[Any]:
    """Yield the subschemas that have a name."""
    if isinstance(part, Mapping):
        if name in {part.get("$anchor"), part.get("$dynamicAnchor")}:
            yield part
        for item in part.values():
            yield from _anchored(item, name)
    elif isinstance(part, list | tuple):
        for item in part:
            yield from _anchored(item, name)
