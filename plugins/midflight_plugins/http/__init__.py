"""Module type `http`: serves an ASGI application that can be changed mid-flight."""

from midflight_plugins.http._apps import App, Receive, Scope, Send
from midflight_plugins.http._config import HttpConfig
from midflight_plugins.http._listener import Listener, Prepared
from midflight_plugins.http._module import HttpModule

__all__ = [
    "App",
    "HttpConfig",
    "HttpModule",
    "Listener",
    "Prepared",
    "Receive",
    "Scope",
    "Send",
]
