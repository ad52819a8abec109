"""Imports the classes that a command line or settings name."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from midflight_plugins.cli._kinds import SPEC


def import_type(spec: str, folder: str = "") -> Any:
    """Import `package.module:Class`, which may stand in a folder.

    Raises:
        ImportError: if it cannot be imported, whatever it raised.
    """
    from pathlib import Path

    found = SPEC.fullmatch(spec)
    if found is None:
        msg = f"{spec!r} is not package.module:Class"
        raise ImportError(msg)
    here = str(Path(folder).absolute())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        target: Any = importlib.import_module(found["module"])
        for name in found["attribute"].split("."):
            target = getattr(target, name)
    except (Exception, SystemExit) as exc:
        msg = f"cannot import {spec!r}: {type(exc).__name__}: {exc}"
        raise ImportError(msg) from exc
    return target
