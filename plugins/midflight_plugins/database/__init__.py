"""Configuration in a database: versioned, with authors and a way back, and followed."""

from __future__ import annotations

from midflight_plugins.database._source import DatabaseSource

__all__ = ["DatabaseSource"]
