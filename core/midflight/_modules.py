"""What is done to one running module: prepare it, begin its work, stop it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from midflight._document import Document
from midflight._driver import Steps, quietly
from midflight._engine import Engine, Running
from midflight.errors import MidflightError, masked
from midflight.hookspecs import Health


class UnhealthyError(MidflightError):
    """A module says, after its commit, that it does not work."""


def prepared(module: Running, document: Document) -> Steps[Any]:
    """Let a module use its configuration before anything is changed."""
    whose = module.participant
    if not whose.has("prepare"):
        return None
    call = whose.call("prepare", config=module.typed, document=document)
    if whose.has("discard"):
        call = attrs.evolve(
            call, late=lambda ready: whose.invoke("discard", prepared=ready)
        )
    return (yield call)


def begun(
    module: Running, document: Document, ready: Any, previous: Running | None = None
) -> Steps[None]:
    """Start a module, or reconfigure it from `previous`; then ask how it is."""
    call, config = module.participant.call, module.typed
    arguments = {"config": config, "prepared": ready, "document": document}
    if previous is None:
        yield call("start", **arguments)
    else:
        yield call("reconfigure", previous=previous.typed, **arguments)
    if module.participant.has("probe"):
        health = yield call("probe")
        if health is False or (isinstance(health, Health) and not health.healthy):
            detail = masked(getattr(health, "detail", ""), module.participant.hides)
            msg = f"{module.participant.label} is not healthy: {detail}"
            raise UnhealthyError(msg)


def stop_all(engine: Engine, limit: Callable[[], float]) -> Steps[None]:
    """Stop every running module, dependents first.

    Args:
        engine: whose modules to stop.
        limit: returns how many seconds the next `stop` may take.
    """
    snapshot = engine.snapshot
    for name in reversed(snapshot.document.build_order):
        module = snapshot.running[name]
        if module.state == "running" and module.participant.has("stop"):
            yield from quietly(module.participant.call("stop", limit()))
        module.state = "stopped"
