"""The kind of the setting `allow`."""

from __future__ import annotations

from typing import Any

from midflight_plugins.cli._kinds import Flag, Names


class Allowed(Names):
    """A list of names, `true` for whatever is installed, `false` for nothing."""

    expected = "a list of names, true or false"

    def take(self, value: Any) -> Any:
        """Return `True` or the names; `false` is none."""
        return (value or ()) if isinstance(value, bool) else super().take(value)

    def plain(self, text: str) -> Any:
        """Return names with commas between them, or what `true` and `false` mean."""
        flag = Flag().plain(text)
        return flag if isinstance(flag, bool) else super().plain(text)
