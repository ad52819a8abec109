"""Configuration in environment variables, as a source."""

from midflight_plugins.env._source import EnvSource

__all__ = ["EnvSource"]
