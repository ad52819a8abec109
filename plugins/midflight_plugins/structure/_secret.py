"""Fields of type `Secret`: what they take, and where a class has some."""

from __future__ import annotations

import types
import typing
from typing import Any

import attrs

from midflight import Secret
from midflight.errors import Code, Fault, InvalidConfigurationError

SCHEMA = {"type": "string", "writeOnly": True, "format": "password"}


def secret(value: Any, kind: Any) -> Any:
    """Wrap a string in a `Secret`; no fault shows what was there instead."""
    if isinstance(value, Secret):
        return value
    if type(value) is str:
        return kind(value)
    if value is None:
        code, msg, hint = Code.E_NULL, "value is null", "give a value or remove the key"
    else:
        code, msg, hint = Code.E_TYPE, "value has the wrong type", "quote it"
    found = "" if value is None else type(value).__name__
    fault = Fault(code, msg, found=found, expected="a string", hint=hint)
    raise InvalidConfigurationError(fault)


def holds_secret(kind: Any) -> bool:
    """Tell whether a type is `Secret`, or a list, mapping or union with one."""
    if isinstance(kind, type) and issubclass(kind, Secret):
        return True
    return any(map(holds_secret, typing.get_args(kind)))


def secrets_of(cls: Any, above: tuple[Any, ...] = ()) -> dict[str, Any] | None:
    """Return a schema of a class that says nothing but which fields are secret.

    Returns:
        the schema, or `None` if there are none.
    """
    if cls in above:  # a class within itself: what is at its first level must do
        return None
    hints = typing.get_type_hints(typing.get_origin(cls) or cls, include_extras=True)
    names = {field.name: field for field in _fields(cls)}
    found = {
        str(getattr(names[name], "alias", None) or name): part
        for name, kind in hints.items()
        if name in names and (part := _part(kind, (*above, cls)))
    }
    return {"type": "object", "properties": found} if found else None


def _part(kind: Any, above: tuple[Any, ...]) -> dict[str, Any] | None:
    origin, args = typing.get_origin(kind) or kind, typing.get_args(kind)
    if isinstance(origin, type) and issubclass(origin, Secret):
        return dict(SCHEMA)
    if _fields(kind):
        return secrets_of(kind, above)
    parts = [part for each in args if (part := _part(each, above))]
    if not parts:
        return None
    if origin in {typing.Union, types.UnionType, typing.Annotated}:
        return {"anyOf": parts}
    each = {"anyOf": parts}
    return {"items": each, "additionalProperties": each}


def _fields(kind: Any) -> tuple[Any, ...]:
    import dataclasses

    cls = typing.get_origin(kind) or kind
    if isinstance(cls, type) and attrs.has(cls):
        return tuple(attrs.fields(cls))
    known = isinstance(cls, type) and dataclasses.is_dataclass(cls)
    return dataclasses.fields(cls) if known else ()
