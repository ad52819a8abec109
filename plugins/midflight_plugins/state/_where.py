"""Finds the state directory that a command is about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = "midflight"


def settled(settings: Any) -> str | None:
    """Return the directory that the settings of a command line lead to, if any.

    Args:
        settings: what the command line keeps in its root context; another one than
            `midflight` may keep anything there.
    """
    found = settings.get("state_dir") if isinstance(settings, Mapping) else None
    return str(found) if found else None


def named(given: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the directory that somebody named.

    It is the option, else `$MIDFLIGHT_STATE_DIR`, else the first directory in the
    `$STATE_DIRECTORY` of systemd.
    """
    first = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    found = given or environ.get("MIDFLIGHT_STATE_DIR") or first
    return Path(found).expanduser() if found else None


def candidates(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the directories below `$XDG_STATE_HOME/midflight`, newest first.

    Each service has its own there, unless it is told otherwise.
    """
    home = environ.get("XDG_STATE_HOME", "")
    home = home if home.startswith("/") else "~/.local/state"
    parent = Path(home).expanduser() / FOLDER
    found = [each for each in parent.iterdir() if each.is_dir()] if _is(parent) else []
    return sorted(found, key=lambda each: each.stat().st_mtime, reverse=True)


def _is(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
