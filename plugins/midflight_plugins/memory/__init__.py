"""Configuration that lives in this process, as a writable source."""

from midflight_plugins.memory._source import MemorySource

__all__ = ["MemorySource"]
