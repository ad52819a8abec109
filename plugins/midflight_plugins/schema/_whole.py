"""The JSON Schema of a whole configuration, made of those of module types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from midflight import Runtime
from midflight_plugins.schema._embed import PATCH, REFERENCE, embedded

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_TEXT = {"type": "string"}
_IMPORTS = {
    "description": "files whose modules and sections this one takes over",
    "type": "array",
    "items": _TEXT,
}
_APPLICATION = {
    "description": "an application made of several workflow files",
    "type": "object",
    "properties": {
        "name": _TEXT,
        "workflows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"file": _TEXT, "name": _TEXT},
                "required": ["file"],
            },
        },
    },
}
_REQUIRES = {
    "description": "what a configuration needs of the installation",
    "type": ["object", "null"],
    "properties": {
        "plugins": {
            "type": ["array", "null"],
            "items": {
                "type": ["object", "string"],
                "properties": {"name": _TEXT, "version": _TEXT},
                "required": ["name"],
                "additionalProperties": False,
            },
        },
        "capabilities": {"type": ["array", "null"], "items": _TEXT},
    },
    "additionalProperties": False,
}


def whole(
    runtime: Runtime, types: Iterable[str], known: Iterable[str], *, layer: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the schema of a configuration, and why it says nothing of some types.

    Args:
        runtime: knows the types.
        types: those whose `config` is described; each is imported.
        known: the names of all that there are.
        layer: for one of several layers: nothing is required, `$patch` may stand
            anywhere.
    """
    parts, notes = {}, {}
    for name in sorted(types):
        try:
            schema = runtime.schema(name)
        except Exception as exc:  # noqa: BLE001  # one that is broken spoils no other
            notes[name] = str(exc)
            continue
        if schema is not None:
            part = embedded(schema, f"#/$defs/{_pointer(name)}", layer=layer)
            if why := _broken(part):
                notes[name] = why
            else:
                parts[name] = part
    entry = _entry(parts, sorted(known), layer=layer)
    made = {
        "$schema": DIALECT,
        "title": "Midflight configuration",
        "type": "object",
        "properties": {
            "modules": _modules(layer=layer),
            "imports": _IMPORTS,
            "application": _APPLICATION,
            "requires": _REQUIRES,
        },
        "$defs": {
            "module": entry,
            "reference": REFERENCE,
            **({"patch": PATCH} if layer else {}),
            **{f"type.{name}": part for name, part in parts.items()},
        },
    }
    if notes:
        made["$comment"] = f"without the types {', '.join(notes)}, which cannot be had"
    return made, notes


def _broken(part: Any) -> str:
    """Say why an author's schema is none, if that can be told: it would spoil all."""
    try:
        import jsonschema
    except ImportError:
        return ""
    try:
        jsonschema.Draft202012Validator.check_schema(part)
    except jsonschema.SchemaError as exc:
        return f"its JSON Schema is none at {exc.json_path}: {exc.message[:200]}"
    return ""


def _pointer(name: str) -> str:
    """Return the place of a type's schema, as a part of a JSON Pointer in a URI."""
    from urllib.parse import quote

    return quote(f"type.{name}".replace("~", "~0").replace("/", "~1"))


def _modules(*, layer: bool) -> dict[str, Any]:
    """Describe a list of entries and a mapping by name at once: a value is one."""
    entry: dict[str, Any] = {"$ref": "#/$defs/module"}
    needed = [] if layer else ["type"]
    return {
        "description": "what runs: a list of entries, or a mapping of them by name",
        "type": ["array", "object"],
        "items": {**entry, "required": ["name", *needed]},
        "propertyNames": {"anyOf": [{"pattern": _NAME}, {"const": "$patch"}]}
        if layer
        else {"pattern": _NAME},
        "additionalProperties": {**entry, "required": needed},
    }


def _entry(
    parts: Mapping[str, Mapping[str, Any]], known: list[str], *, layer: bool
) -> dict[str, Any]:
    """Describe an entry: its `type` says what its `config` may be."""
    config = {
        "description": "the settings of the module, as its type takes them",
        "type": ["object", "null"],
    }
    properties = {
        "name": {"description": "names the module", "pattern": _NAME, **_TEXT},
        "type": {
            "description": "what kind of module it is; see `midflight modules`",
            "enum": known,
        },
        "config": config,
        "dependsOn": {
            "description": "names of the modules that start before it",
            "type": ["array", "null"],
            "items": _TEXT,
        },
    }
    if layer:
        properties["$patch"] = {"enum": ["delete", "replace"]}
    rules = [_rule(name, part) for name, part in parts.items()]
    entry = {"type": "object", "properties": properties}
    return {**entry, "allOf": rules} if rules else entry


def _rule(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    then: dict[str, Any] = {
        "properties": {"config": {"$ref": f"#/$defs/{_pointer(name)}"}}
    }
    if _needs(part):
        then["required"] = ["config"]
    return {
        "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
        "then": then,
    }


def _needs(part: Mapping[str, Any]) -> bool:
    """Tell whether a config may not be left out, since it has required keys."""
    here: Any = part
    if str(part.get("$ref", "")).rpartition("/")[2] in part.get("$defs", {}):
        here = part["$defs"][part["$ref"].rpartition("/")[2]]
    return bool(here.get("required"))
