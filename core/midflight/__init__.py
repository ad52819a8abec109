"""Change a running Python service's configuration mid-flight."""

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
from midflight._plan import Change, Plan, Reconfigure, Restart, Start, Stop
from midflight._plugins import PluginRegistry
from midflight._runtime import Runtime
from midflight.errors import Fault, Place
from midflight.hookspecs import Health, Loaded, hookimpl

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
    "Place",
    "Plan",
    "PluginRegistry",
    "Reconfigure",
    "Rejected",
    "Restart",
    "RolledBack",
    "Runtime",
    "Start",
    "Stop",
    "Unchanged",
    "hookimpl",
]
