"""Prints every hook call to standard error while MIDFLIGHT_TRACE=1.

It shows names, durations and types, never a value: neither configuration nor secrets.
"""

from __future__ import annotations

import os

__all__ = ["Trace"]
VARIABLE = "MIDFLIGHT_TRACE"
_OFF = frozenset({"", "0", "false", "no", "off"})


class Trace:
    """Has hooks only if the variable asks for them, so that it costs nothing else."""

    def __init__(self) -> None:
        if os.environ.get(VARIABLE, "").lower() not in _OFF:
            from midflight_plugins.trace._hooks import hooks

            vars(self).update(hooks())
