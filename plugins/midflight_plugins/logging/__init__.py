"""Module type `logging`: levels, handlers and formats of the standard library, live."""

from midflight_plugins.logging._config import LoggingConfig
from midflight_plugins.logging._module import LoggingModule

__all__ = ["LoggingConfig", "LoggingModule"]
