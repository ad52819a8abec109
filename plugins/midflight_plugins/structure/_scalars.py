"""Single values: what each type takes, and what is said of a value it refuses."""

from __future__ import annotations

import datetime
import enum
import pathlib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from midflight import Secret
from midflight.errors import Code, Fault, InvalidConfigurationError, did_you_mean, shown

SCALARS: dict[Any, str] = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    datetime.datetime: "a date with a time",
    datetime.date: "a date",
    datetime.time: "a time of day",
    datetime.timedelta: "a number of seconds",
    pathlib.PurePath: "a path, as a string",
    pathlib.Path: "a path, as a string",
}
_WORDS = {
    "true": "true",
    "false": "false",
    "yes": "true",
    "no": "false",
    "on": "true",
    "off": "false",
}


def describe(kind: Any) -> str:
    """Say in words what a type takes: `an integer`, `"a" or "b"`, `a list or null`."""
    origin = typing.get_origin(kind) or kind
    if kind is None or kind is types.NoneType:
        return "null"
    if kind in SCALARS:
        return SCALARS[kind]
    if isinstance(origin, type) and issubclass(origin, Secret):
        return "a string"
    if origin is typing.Literal:
        return _either(shown(value) for value in typing.get_args(kind))
    if origin in {typing.Union, types.UnionType}:
        return _either(dict.fromkeys(map(describe, typing.get_args(kind))))
    if origin is typing.Annotated:
        return describe(typing.get_args(kind)[0])
    if isinstance(origin, type) and issubclass(origin, enum.Enum):
        return _either(shown(member.value) for member in origin.__members__.values())
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return "a mapping" if issubclass(origin, Mapping) else "a list"
    return "a mapping"


def refuse(value: Any, expected: str, hint: str = "") -> InvalidConfigurationError:
    """Return the error for a value of the wrong type; null has its own code."""
    if value is None:
        fault = Fault(
            Code.E_NULL,
            "value is null",
            expected=expected,
            hint=hint or "give a value or remove the key",
        )
    else:
        fault = Fault(
            Code.E_TYPE,
            "value has the wrong type",
            found=shown(value),
            expected=expected,
            hint=hint,
        )
    return InvalidConfigurationError(fault)


def scalar(value: Any, kind: Any) -> Any:
    """Take a value for a scalar type, without coercion but integer to number.

    Subclasses of scalars land here too: enumerations, and strings with a name.
    """
    if issubclass(kind, enum.Enum):
        return choice(value, kind)
    base = next((known for known in SCALARS if issubclass(kind, known)), None)
    if kind in SCALARS:
        base = kind
    if base is None or not _fits(value, base):
        expected = SCALARS.get(base, f"a {kind.__name__}")
        raise refuse(value, expected, hint_for(value, base))
    if base is datetime.timedelta:
        try:
            return kind(seconds=value)
        except OverflowError:
            raise refuse(value, "at most 999999999 days, in seconds") from None
    if base is float or kind is not base or base in {pathlib.PurePath, pathlib.Path}:
        return kind(value)
    return value


def choice(value: Any, kind: Any) -> Any:
    """Take a value of an enumeration or a `Literal`; 1, 1.0 and true all differ."""
    if isinstance(kind, enum.EnumType):
        members: Iterable[enum.Enum] = kind.__members__.values()
        allowed = [(member.value, member) for member in members]
    else:
        allowed = [
            (getattr(member, "value", member), member)
            for member in typing.get_args(kind)
        ]
    for known, member in allowed:
        if type(known) is type(value) and known == value:
            return member
    if value is None:
        raise refuse(value, describe(kind))
    words = [known for known, _ in allowed if isinstance(known, str)]
    fault = Fault(
        Code.E_ENUM,
        "value is not one of those allowed",
        found=shown(value),
        expected=describe(kind),
        hint=did_you_mean(value, words) if isinstance(value, str) else "",
    )
    raise InvalidConfigurationError(fault)


def _either(parts: Any) -> str:
    words = list(parts)
    return " or ".join((", ".join(words[:-1]), words[-1]) if words[1:] else words)


def _fits(value: Any, base: Any) -> bool:
    if base in {float, datetime.timedelta}:
        return type(value) in {int, float}
    if base in {pathlib.PurePath, pathlib.Path}:
        return type(value) is str
    return type(value) is base


def hint_for(value: Any, base: Any) -> str:
    """Say what to do about a value which is nearly right."""
    kind = type(value)
    if base in {str, pathlib.PurePath, pathlib.Path}:
        return "quote it" if kind in {bool, int, float} else ""
    if base is bool and kind is str and value.lower() in _WORDS:
        wanted = _WORDS[value.lower()]
        return "remove the quotes" if wanted == value else f"write {wanted}"
    if base in {int, float, datetime.timedelta} and kind is str:
        return "remove the quotes" if _is_number(value, base) else ""
    if base is int and kind is float and value.is_integer():
        return f"write {int(value)}"
    if base in {datetime.datetime, datetime.date, datetime.time} and kind is str:
        return "write it without quotes in TOML"
    return ""


def _is_number(text: str, base: Any) -> bool:
    try:
        (int if base is int else float)(text)
    except ValueError:
        return False
    return True
