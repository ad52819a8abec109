"""Strategies: surgical (the default), partial, full and hold."""

from midflight_plugins.strategies._strategies import Full, Hold, Partial, Surgical

__all__ = ["Full", "Hold", "Partial", "Surgical"]
