"""Fits the schema of a type into that of a configuration, for those who write one.

Where a document may say `${NAME}` instead of a value, or `$patch` in a layer, an editor
shall not complain: what comes of it is judged when it is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REFERENCE = {
    "description": "a reference: `${NAME}`, `${NAME:-default}` or `${scheme:...}`",
    "type": "string",
    "pattern": r"\$\{[^{}]+\}",
}
PATCH = {
    "description": "what becomes of the layers below",
    "type": "object",
    "properties": {"$patch": {"enum": ["delete", "replace"]}, "$value": {}},
    "required": ["$patch"],
    "additionalProperties": False,
}
_NOTES = {
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
    "x-midflight",
}
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "unevaluatedProperties", "then", "else")
_NAMES = ("$ref", "$dynamicRef", "$anchor", "$dynamicAnchor", "$id")
_OLD = ("$schema", "additionalItems", "id")
_TESTS = ("not", "if", "contains", "propertyNames")  # there a reference is no value
_NO_SCALARS = {"object", "array", "null"}


def embedded(schema: Mapping[str, Any], at: str, *, layer: bool) -> Any:
    """Return a schema that stands somewhere else, with references allowed.

    Args:
        schema: of a type's `config`.
        at: where it will stand, as a JSON Pointer from `#`.
        layer: for one of several layers: nothing is required, `$patch` may stand
            anywhere.
    """
    made = _part({k: v for k, v in schema.items() if k != "$schema"}, at, layer=layer)
    assert isinstance(made, dict)
    return made


def _part(part: Any, at: str, *, layer: bool) -> Any:
    if not isinstance(part, Mapping):
        return part
    made: dict[str, Any] = {}
    items = part.get("items")
    if isinstance(items, list | tuple):  # as drafts before 2020-12 say
        more = {"items": part["additionalItems"]} if "additionalItems" in part else {}
        part = {key: item for key, item in part.items() if key != "items"} | more
        made["prefixItems"] = [_part(each, at, layer=layer) for each in items]
    for key, item in part.items():
        if key in _NAMED and isinstance(item, Mapping):
            made[key] = {k: _part(v, at, layer=layer) for k, v in item.items()}
        elif key in _LISTS and isinstance(item, list | tuple):
            # a reference may fit several of them
            word = "anyOf" if key == "oneOf" else key
            made[word] = [_part(each, at, layer=layer) for each in item]
        elif key in _SINGLE:
            made[key] = _part(item, at, layer=layer)
        elif key in _TESTS:
            made[key] = _moved(item, at)
        elif key in _NAMES and isinstance(item, str):
            made |= _named(key, item, at)
        elif not (layer and key == "required") and key not in _OLD:
            made[key] = item
    return _open(made, layer=layer)


def _moved(part: Any, at: str) -> Any:
    """Return a subschema that is as strict as before, its references moved."""
    if isinstance(part, list | tuple):
        return [_moved(each, at) for each in part]
    if not isinstance(part, Mapping):
        return part
    made: dict[str, Any] = {}
    for key, item in part.items():
        is_name = key in _NAMES and isinstance(item, str)
        made |= _named(key, item, at) if is_name else {key: _moved(item, at)}
    return made


def _named(key: str, name: str, at: str) -> dict[str, str]:
    """Return a reference or a name as it has to be within the whole.

    One that leads elsewhere is left out: an editor would fetch it.
    """
    if key == "$ref" and (name == "#" or name.startswith("#/")):
        return {key: at + name[1:]}
    own = re.sub(r"[^A-Za-z0-9]", "_", at[1:]) + "."
    if key in {"$ref", "$dynamicRef"}:
        return {key: f"#{own}{name[1:]}"} if name.startswith("#") else {}
    return {} if key == "$id" else {key: own + name}


def _open(part: dict[str, Any], *, layer: bool) -> dict[str, Any]:
    """Let a reference, and in a layer a patch, stand in the place of a value."""
    kinds = part.get("type", [])
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    others = []
    if "enum" in part or "const" in part or kinds - _NO_SCALARS:
        others.append({"$ref": "#/$defs/reference"})
    if layer and "object" in kinds and isinstance(part.get("properties"), Mapping):
        patch = {"$patch": PATCH["properties"]["$patch"]}  # type: ignore[index]  # it is there
        part = {**part, "properties": {**part["properties"], **patch}}
    elif layer and (others or "array" in kinds):
        others.append({"$ref": "#/$defs/patch"})
    if not others:
        return part
    notes = {key: item for key, item in part.items() if key in _NOTES}
    rest = {key: item for key, item in part.items() if key not in _NOTES}
    if rest == {"type": "string"} and not layer:
        return part
    return {**notes, "anyOf": [rest, *others]}
