"""JSON Schema of what our own structuring takes: attrs, dataclasses, `TypedDict`."""

from __future__ import annotations

import datetime
import enum
import pathlib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from midflight import Secret
from midflight_plugins.structure._fields import fields_of, filled, is_class, is_struct
from midflight_plugins.structure._limits import marks_in
from midflight_plugins.structure._secret import SCHEMA
from midflight_plugins.structure._typed_dict import is_typed_dict

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: tuple[tuple[type, dict[str, Any]], ...] = (
    (Secret, SCHEMA),
    (bool, {"type": "boolean"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (datetime.datetime, {"type": "string", "format": "date-time"}),
    (datetime.date, {"type": "string", "format": "date"}),
    (datetime.time, {"type": "string", "format": "time"}),
    (datetime.timedelta, {"type": "number"}),
    (str, {"type": "string"}),
    (pathlib.PurePath, {"type": "string"}),
    (types.NoneType, {"type": "null"}),
)
Scalars = tuple[tuple[type, dict[str, Any]], ...]


def schema_of(kind: Any, scalars: Scalars = ()) -> dict[str, Any]:
    """Return the schema of a class, closed to unknown keys as structuring is.

    A field whose type is not known takes anything; of what its validators demand it
    has that for which JSON Schema has a word.

    Args:
        kind: the class.
        scalars: schemas of types that are written in another way than ours, or more.
    """
    made = _Schemas((*scalars, *_SCALARS))
    reference = made.schema(kind)
    return {"$schema": DIALECT, **reference, "$defs": made.found}


class _Schemas:
    """Makes the schemas of a class and of all that it holds."""

    def __init__(self, scalars: Scalars) -> None:
        self._scalars = scalars
        self.found: dict[str, Any] = {}
        self._names: dict[Any, str] = {}

    def schema(self, kind: Any) -> dict[str, Any]:
        """Return the schema of a type; that of a class is a reference."""
        origin, args = typing.get_origin(kind) or kind, typing.get_args(kind)
        if origin is typing.Annotated:
            return self.schema(args[0]) | marks_in(kind)
        if origin in {typing.Union, types.UnionType}:
            return self._union(args)
        if origin is typing.Literal:
            return {"enum": [getattr(each, "value", each) for each in args]}
        if isinstance(origin, enum.EnumType):
            members: Iterable[enum.Enum] = origin.__members__.values()
            return {"enum": [member.value for member in members]}
        if is_struct(origin) and origin.__struct_config__.array_like:
            return {"type": "array"}
        if is_class(origin) or is_typed_dict(origin) or is_struct(origin):
            return {"$ref": f"#/$defs/{self._class(kind)}"}
        return self._plain(types.NoneType if kind is None else origin, args)

    def _plain(self, origin: Any, args: tuple[Any, ...]) -> dict[str, Any]:
        if not isinstance(origin, type):
            return {}
        for scalar, schema in self._scalars:
            if issubclass(origin, scalar):
                return dict(schema)
        if issubclass(origin, Mapping):
            each = self.schema(args[1]) if args else {}
            return {"type": "object", "additionalProperties": each}
        if not issubclass(origin, Iterable) or issubclass(origin, bytes):
            return {}
        if origin is tuple and args and args[-1] is not Ellipsis:
            items = [self.schema(each) for each in args]
            length = {"minItems": len(items), "maxItems": len(items)}
            return {"type": "array", "prefixItems": items, "items": False} | length
        return {"type": "array", "items": self.schema(args[0]) if args else {}}

    def _union(self, members: tuple[Any, ...]) -> dict[str, Any]:
        if Secret in members:  # every string is one
            members = tuple(member for member in members if member is not str)
        return {"anyOf": [self.schema(member) for member in members]}

    def _class(self, kind: Any) -> str:
        """Return the name of a class's schema, which is made once."""
        if kind not in self._names:
            cls = typing.get_origin(kind) or kind
            name = next(
                each
                for each in _candidates(cls.__name__)
                if each not in self._names.values()
            )
            self._names[kind] = name
            self.found[name] = self._described(kind, cls)
        return self._names[kind]

    def _described(self, kind: Any, cls: Any) -> dict[str, Any]:
        given = dict(
            zip(getattr(cls, "__parameters__", ()), typing.get_args(kind), strict=False)
        )
        properties, required = {}, []
        for field in fields_of(cls):
            schema = self.schema(filled(field.kind, given)) | field.marks
            schema |= field.limits if "type" in schema else {}
            if field.is_required:
                required.append(field.key)
            elif field.has_default:
                schema |= _default(field.default)
            properties[field.key] = schema
        head = {"title": cls.__name__, "type": "object", "properties": properties}
        more = {"required": required} if required else {}
        return {**head, **more, "additionalProperties": False}


def _default(value: Any) -> dict[str, Any]:
    """Return a default as it would stand in a file, if it could."""
    value = value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, pathlib.PurePath):
        value = str(value)
    plain = value is None or isinstance(value, str | bool | int | float)
    return {"default": value} if plain else {}


def _candidates(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}{number}"
        number += 1
