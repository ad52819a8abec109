"""What outlives the process: the last good configuration and the journal."""

from midflight_plugins.state._plugin import StatePlugin

__all__ = ["StatePlugin"]

# The entry point is this module: one plugin serves all runtimes of the process.
_plugin = StatePlugin()
lifespan = _plugin.lifespan
transform = _plugin.transform
inputs = _plugin.inputs
on_apply = _plugin.on_apply
on_outcome = _plugin.on_outcome
recall = _plugin.recall
