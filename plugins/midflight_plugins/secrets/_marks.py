"""Which values a JSON Schema marks as secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midflight_plugins.schema import SECRET, Described


def marks_of(schema: Mapping[str, Any] | None) -> Described | None:
    """Return the marks of a schema, or `None` if it marks nothing as secret."""
    said = None if schema is None else Described.by(schema)
    return said if said is not None and said.mentions(SECRET) else None
