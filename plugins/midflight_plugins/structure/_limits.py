"""What stands beside the type of a field: marks, and limits of its values."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from midflight_plugins.schema import MARK, MARKS
from midflight_plugins.structure._secret import mark_in

_COMPARISONS = {
    ">=": "minimum",
    ">": "exclusiveMinimum",
    "<=": "maximum",
    "<": "exclusiveMaximum",
}


def marks_in(kind: Any) -> dict[str, Any]:
    """Return what stands beside an annotated type: marks, and limits of msgspec."""
    said: dict[str, Any] = {}
    for note in getattr(kind, "__metadata__", ()):
        if isinstance(note, str) and (found := mark_in(note)):
            said |= marks_of({MARK: found})
        elif type(note).__module__.partition(".")[0] == "msgspec":
            said |= _limits(note, typing.get_args(kind)[0])
    return said


def _limits(meta: Any, kind: Any) -> dict[str, Any]:
    """Return what a `msgspec.Meta` says of a type."""
    counted = typing.get_origin(kind) or kind
    of = "Length" if counted is str else "Items"
    of = "Properties" if counted is dict else of
    words = {
        "ge": "minimum",
        "gt": "exclusiveMinimum",
        "le": "maximum",
        "lt": "exclusiveMaximum",
        "multiple_of": "multipleOf",
        "pattern": "pattern",
        "min_length": f"min{of}",
        "max_length": f"max{of}",
        "title": "title",
        "description": "description",
    }
    said = {word: getattr(meta, name) for name, word in words.items()}
    more = meta.extra_json_schema or {}
    given = {word: value for word, value in said.items() if value is not None}
    return {**given, **more, **marks_of(more)}


def marks_of(said: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what metadata says of a field; a secret is `writeOnly` as well.

    Raises:
        ValueError: if there is no such mark.
    """
    mark = said.get(MARK)
    if mark is None:
        return {}
    if mark not in MARKS:
        msg = f"`{MARK}` is {mark!r}; write `live`, `restart` or `secret`"
        raise ValueError(msg)
    return {MARK: mark} | ({"writeOnly": True} if mark == MARKS[-1] else {})


def limits_of(validator: Any, kind: Any) -> dict[str, Any]:
    """Return what a validator of attrs demands, as far as JSON Schema has a word.

    Args:
        validator: of a field, or `None`.
        kind: the type of that field.
    """
    said: dict[str, Any] = {}
    for each in getattr(validator, "_validators", ()):
        said |= limits_of(each, kind)
    if word := _COMPARISONS.get(getattr(validator, "compare_op", "")):
        said[word] = validator.bound
    of = "Length" if kind is str else "Items"
    for name, word in (("min_length", f"min{of}"), ("max_length", f"max{of}")):
        if isinstance(getattr(validator, name, None), int):
            said[word] = getattr(validator, name)
    options = getattr(validator, "options", None)
    if isinstance(options, list | tuple | set | frozenset):
        said["enum"] = list(options)
    return said
