"""The command `midflight`."""

from midflight_plugins.cli._app import main

__all__ = ["main"]
