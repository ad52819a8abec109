"""Change a running Python service's configuration mid-flight."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from midflight._diff import Diff
from midflight._document import Document, ModuleConfig
from midflight._outcome import (
    Applied,
    Failed,
    Held,
    Outcome,
    Rejected,
    RolledBack,
    Unchanged,
)
from midflight._plan import Plan, Reconfigure, Restart, Start, Stop
from midflight._secret import Secret
from midflight.errors import Fault, Place
from midflight.hookspecs import Health, Loaded, hookimpl

if TYPE_CHECKING:
    from midflight._later import Change, Participant, PluginRegistry, Runtime

__version__ = "0.1.0"

__all__ = [
    "Applied",
    "Change",
    "Diff",
    "Document",
    "Failed",
    "Fault",
    "Health",
    "Held",
    "Loaded",
    "ModuleConfig",
    "Outcome",
    "Participant",
    "Place",
    "Plan",
    "PluginRegistry",
    "Reconfigure",
    "Rejected",
    "Restart",
    "RolledBack",
    "Runtime",
    "Secret",
    "Start",
    "Stop",
    "Unchanged",
    "hookimpl",
]


def __getattr__(name: str) -> object:
    """Import what runs modules when it is asked for: a plugin needs only the words."""
    if name not in __all__:
        msg = f"module `midflight` has no attribute `{name}`"
        raise AttributeError(msg)
    return getattr(importlib.import_module("midflight._later"), name)
