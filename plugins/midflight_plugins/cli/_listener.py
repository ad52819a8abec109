"""A setting that says where to listen."""

from __future__ import annotations

import re
from typing import Any

from midflight_plugins.cli._kinds import Kind, WrongError, joined

_ADDRESS = re.compile(r"unix:.+|(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):(?P<port>\d{1,5})")
_LAST_PORT = 65_535


class Listener(Kind):
    """An address to listen on, or nothing."""

    expected = "HOST:PORT, or unix:PATH, or empty for none"

    def take(self, value: Any) -> str:
        """Return it, if it is one."""
        if not isinstance(value, str):
            raise WrongError(self.expected)
        found = _ADDRESS.fullmatch(value)
        if value and (not found or int(found["port"] or 0) > _LAST_PORT):
            raise WrongError(self.expected, "E_RANGE")
        return value

    def rebased(self, value: Any, folder: str) -> str:
        """Let the file of a socket begin at that folder."""
        path = value.removeprefix("unix:")
        return value if path == value else f"unix:{joined(folder, path)}"
