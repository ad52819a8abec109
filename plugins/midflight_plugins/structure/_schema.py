"""JSON Schema of configuration classes, by msgspec."""

from __future__ import annotations

import pathlib
from typing import Any

from midflight import Secret
from midflight.errors import MissingDependencyError, PluginError
from midflight_plugins.structure._secret import SCHEMA, secrets_of


def schema_of(cls: type) -> dict[str, Any]:
    """Return the schema of a class, closed to unknown keys as structuring is.

    Where it cannot be made, but the class has secrets, a schema that marks them alone:
    nothing may show them for want of a library.
    """
    try:
        return _whole(cls)
    except PluginError as exc:
        marked = secrets_of(cls)
        if marked is None:
            raise
        return {"$comment": f"secrets only: {exc}", **marked}


def _whole(cls: type) -> dict[str, Any]:
    try:
        import msgspec
    except ImportError as exc:
        what = "a JSON Schema"
        raise MissingDependencyError(what, "msgspec", "schema") from exc
    try:
        schema = msgspec.json.schema(cls, schema_hook=_own)
    except TypeError as exc:
        why = str(exc).splitlines()[-1]
        msg = f"`{cls.__name__}` has no JSON Schema: {why}"
        raise PluginError(msg) from exc
    _adapt(schema)
    return schema


def _own(kind: type) -> dict[str, Any]:
    if issubclass(kind, pathlib.PurePath):
        return {"type": "string"}
    if issubclass(kind, Secret):
        return dict(SCHEMA)
    raise NotImplementedError


def _adapt(part: Any) -> None:
    """Say what our structuring takes where it differs from msgspec's own."""
    if isinstance(part, list):
        for item in part:
            _adapt(item)
    if not isinstance(part, dict):
        return
    if part.get("format") == "duration":
        part["type"] = "number"
        del part["format"]
        part.pop("default", None)  # it would be in the other form
    if isinstance(part.get("properties"), dict):
        part["additionalProperties"] = False
    for item in part.values():
        _adapt(item)
