"""Hands what happened to who remembers it; imported by every process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midflight import Applied, hookimpl

if TYPE_CHECKING:
    from midflight import Outcome, Runtime


@hookimpl
def on_outcome(outcome: Outcome, runtime: Runtime) -> None:
    """Remember how an attempt ended."""
    from midflight_plugins.api._events import Events

    Events.of(runtime).add(outcome)
    if isinstance(outcome, Applied):
        from midflight_plugins.api._kept import Kept

        Kept.of(runtime).note(runtime.snapshot)
