"""Strategies: surgical (the default), partial, full, hold and guarded."""

from midflight_plugins.strategies._strategies import (
    Full,
    Guarded,
    Hold,
    Partial,
    Surgical,
)

__all__ = ["Full", "Guarded", "Hold", "Partial", "Surgical"]
