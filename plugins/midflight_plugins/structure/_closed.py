"""Says in a schema of another library what our structuring adds to it."""

from __future__ import annotations

from typing import Any

from midflight_plugins.schema import MARK
from midflight_plugins.structure._schema import DIALECT


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Close what a schema leaves open, and hide what it marks as secret.

    A mapping is closed to keys that it does not name, unless it says what they may be.
    """
    _adapt(schema)
    return {"$schema": DIALECT, **schema}


def _adapt(part: Any) -> None:
    if isinstance(part, list):
        for item in part:
            _adapt(item)
    if not isinstance(part, dict):
        return
    if isinstance(part.get("properties"), dict) and "title" in part:
        part.setdefault("additionalProperties", False)
    if part.get(MARK) == "secret":
        part["writeOnly"] = True
    for item in part.values():
        _adapt(item)
