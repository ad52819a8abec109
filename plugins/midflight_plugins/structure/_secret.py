"""Fields of type `Secret`: what they take, and where a type has some."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import attrs

from midflight import Secret
from midflight.errors import Code, Fault, InvalidConfigurationError
from midflight_plugins.schema import MARK

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
    """Tell whether a type is `Secret`, marked as secret, or made of such a type."""
    if isinstance(kind, type) and issubclass(kind, Secret):
        return True
    notes = getattr(kind, "__metadata__", ())
    if any(isinstance(note, str) and mark_in(note) == "secret" for note in notes):
        return True
    return any(map(holds_secret, typing.get_args(kind)))


def says_secret(metadata: Mapping[Any, Any]) -> bool:
    """Tell whether the metadata of a field marks it as secret."""
    return metadata.get(MARK) == "secret"


def mark_in(note: str) -> str:
    """Return the mark that stands beside an annotated type, as `x-midflight: live`."""
    head, _, mark = note.partition(":")
    return mark.strip() if head == MARK else ""


def untold(fault: Fault) -> Fault:
    """Return a fault that shows no value."""
    msg = "value is refused" if fault.code is Code.E_VALUE else fault.message
    return attrs.evolve(fault, found="", message=msg)
