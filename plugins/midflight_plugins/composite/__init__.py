"""Layers of sources as one document."""

from __future__ import annotations

from midflight_plugins.composite._source import CompositeSource

__all__ = ["CompositeSource"]
