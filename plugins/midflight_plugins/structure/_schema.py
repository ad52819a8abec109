"""JSON Schema of configuration classes, by msgspec."""

from __future__ import annotations

import pathlib
from typing import Any

from midflight.errors import MissingDependencyError


def schema_of(cls: type) -> dict[str, Any]:
    """Return the schema of a class, closed to unknown keys as structuring is."""
    try:
        import msgspec
    except ImportError as exc:
        what = "a JSON Schema"
        raise MissingDependencyError(what, "msgspec", "schema") from exc
    schema = msgspec.json.schema(cls, schema_hook=_path)
    _adapt(schema)
    return schema


def _path(kind: type) -> dict[str, Any]:
    if issubclass(kind, pathlib.PurePath):
        return {"type": "string"}
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
