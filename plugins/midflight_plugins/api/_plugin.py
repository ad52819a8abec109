"""Hands what happened to who remembers it; every process has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midflight import Applied, hookimpl
from midflight_plugins.api._events import Events
from midflight_plugins.api._kept import Kept

if TYPE_CHECKING:
    from midflight import Outcome, Runtime


@hookimpl
def on_outcome(outcome: Outcome, runtime: Runtime) -> None:
    """Remember how an attempt ended."""
    Events.of(runtime).add(outcome)
    if isinstance(outcome, Applied):
        Kept.of(runtime).note(runtime.snapshot)
