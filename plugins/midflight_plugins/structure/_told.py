"""Faults in the same words, whichever library found them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from midflight.errors import Code, Fault, Path, did_you_mean, shown
from midflight_plugins.schema import SECRET, Described
from midflight_plugins.structure._scalars import hint_for
from midflight_plugins.structure._secret import untold

_LONGEST = 160
_BASES: dict[str, type] = {
    "integer": int,
    "number": float,
    "string": str,
    "boolean": bool,
}


def missing(key: str | int, expected: str) -> Fault:
    """Return the fault of a key, or an item of a list, that has to be there."""
    what = f"`{key}`" if isinstance(key, str) else f"item {key + 1}"
    return Fault(Code.E_REQUIRED, f"{what} is missing", (key,), expected=expected)


def unknown(key: Any, known: Iterable[str]) -> Fault:
    """Return the fault of a key that is not known, with the nearest that is."""
    others = [each for each in known if each != key]  # one that a sibling type has
    hint = did_you_mean(str(key), others)
    return Fault(Code.E_UNKNOWN, f"`{key}` is not known", (key,), hint=hint)


def missing_at(said: Described, path: Path) -> Fault:
    """Return the fault of a missing key, by what a schema says."""
    return missing(path[-1], said.at(path).words).under(path[:-1])


def unknown_at(said: Described, path: Path) -> Fault:
    """Return the fault of an unknown key, by what a schema says."""
    return unknown(path[-1], said.at(path[:-1]).keys).under(path[:-1])


def wrong_at(said: Described, path: Path, value: Any, why: str) -> Fault:
    """Return the fault of a value, by what a schema says of it.

    Args:
        said: what the schema says of the whole configuration.
        path: where the value stands.
        value: the value.
        why: what the library said of it.
    """
    here = said.at(path)
    fault = _judged(here, path, value, why)
    if here.is_secret:
        return untold(fault)
    # where a secret has another place, or belongs below, this may be one
    is_bare = not here.parts or here.mentions(SECRET)
    return attrs.evolve(fault, found=_type(value)) if is_bare else fault


def is_chosen(value: Any, here: Described) -> bool:
    """Tell whether a value is just one of the choices, if there are any."""
    return (
        not here.choices
        or _fits(value, here.types)
        or any(_is(value, each) for each in here.choices)
    )


def _judged(here: Described, path: Path, value: Any, why: str) -> Fault:
    words, types, choices = here.words, here.types, here.choices
    takes_null = not words or "null" in types or None in choices
    if value is None and not takes_null:
        msg, hint = "value is null", "give a value or remove the key"
        return Fault(Code.E_NULL, msg, path, expected=words, hint=hint)
    fits = _fits(value, types)
    if not is_chosen(value, here):
        names = [each for each in choices if isinstance(each, str)]
        hint = did_you_mean(value, names) if isinstance(value, str) else ""
        msg = "value is not one of those allowed"
        return Fault(Code.E_ENUM, msg, path, None, _shown(value), words, hint)
    if types and not fits:
        hint = next(filter(None, (_hint(value, each) for each in types)), "")
        msg = "value has the wrong type"
        return Fault(Code.E_TYPE, msg, path, None, _shown(value), words, hint)
    return Fault(
        Code.E_VALUE, why[:_LONGEST] or "value is refused", path, found=_shown(value)
    )


def _is(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


def _shown(value: Any) -> str:
    """Show a single value; what is inside a container may be a secret."""
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else shown(value)


def _type(value: Any) -> str:
    """Return the JSON type of a value; a whole number is no integer if it is `1.0`."""
    if value is None:
        return "null"
    for word, base in (("boolean", bool), *_BASES.items()):
        if isinstance(value, base):
            return word
    if isinstance(value, Mapping):
        return "object"
    return "array" if isinstance(value, list | tuple) else ""


def _fits(value: Any, types: list[str]) -> bool:
    kind = _type(value)
    return not kind or kind in types or (kind == "integer" and "number" in types)


def _hint(value: Any, word: str) -> str:
    if word == "array":
        return "write it as a list" if isinstance(value, str) else ""
    return hint_for(value, _BASES.get(word))
