"""Module type `http`: serves an ASGI application that can be changed mid-flight."""

from midflight_plugins.http._config import HttpConfig
from midflight_plugins.http._module import HttpModule

__all__ = ["HttpConfig", "HttpModule"]
