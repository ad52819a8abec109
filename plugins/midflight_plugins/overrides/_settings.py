"""What the command line is told by settings instead of options."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

STORE = "MIDFLIGHT_OVERRIDES"
_STATE_DIR = "MIDFLIGHT_STATE_DIR"


def store_uri() -> str | None:
    """Return the store that the settings name."""
    return _setting("overrides.store", STORE)


def state_dir() -> str | None:
    """Return the state directory that the settings lead to."""
    return _setting("state_dir", _STATE_DIR)


def _setting(name: str, variable: str) -> str | None:
    """Return a setting of `midflight`; below another root, what a variable says."""
    ctx = click.get_current_context(silent=True)
    settings = ctx.find_root().obj if ctx else None
    if isinstance(settings, Mapping):
        found = settings.get(name)
    else:
        found = os.environ.get(variable)
    return str(found) if found else None
