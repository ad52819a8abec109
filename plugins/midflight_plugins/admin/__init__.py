"""Module type `admin`: the HTTP API and the page for operators."""

from midflight_plugins.admin._config import AdminConfig
from midflight_plugins.admin._module import AdminModule
from midflight_plugins.admin._mounted import asgi

__all__ = ["AdminConfig", "AdminModule", "asgi"]
