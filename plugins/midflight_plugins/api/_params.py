"""The parameters that several routes take."""

from __future__ import annotations

from midflight_plugins.api._routes import Param

MESSAGE = Param("message", "why, for the history")
KEY = Param(
    "Idempotency-Key",
    "makes a repeated request the same one",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255},
)
MATCH = Param("If-Match", "the `ETag` of what was looked at, or `*`", "header")
RESTART = Param(
    "restart",
    "`allow`: a module that cannot be reconfigured is restarted",
    kind={"type": "string", "enum": ["allow"]},
)
DRY = Param(
    "dry_run", "only say what would be done", kind={"type": "boolean", "default": False}
)
