"""A writable layer that holds what an operator changed."""

from __future__ import annotations

from midflight_plugins.overrides._change import RefusedError, Written
from midflight_plugins.overrides._planned import Head
from midflight_plugins.overrides._source import Override, OverridesSource

__all__ = ["Head", "Override", "OverridesSource", "RefusedError", "Written"]
