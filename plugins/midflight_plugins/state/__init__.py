"""What outlives the process: the last good configuration and the journal."""

from midflight_plugins.state._plugin import StatePlugin

__all__ = ["StatePlugin"]
