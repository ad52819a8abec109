"""What is done to one running module: prepare it, begin its work, stop it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from midflight._document import Document
from midflight._driver import Call, Steps, quietly
from midflight._engine import Engine, Running
from midflight.errors import MidflightError, masked
from midflight.hookspecs import Health


class UnhealthyError(MidflightError):
    """A module says, after its commit, that it does not work."""


def preparing(module: Running, document: Document) -> Call | None:
    """Return the call that lets a module use its configuration before the change."""
    whose = module.participant
    if not whose.has("prepare"):
        return None
    call = whose.call("prepare", config=module.typed, document=document)
    if whose.has("discard"):
        call = attrs.evolve(
            call, late=lambda ready: whose.invoke("discard", prepared=ready)
        )
    return call


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
    if not module.participant.has("probe"):
        return
    health = yield from asked(module)
    if not health.healthy:
        msg = f"{module.participant.label} is not healthy: {health.detail}"
        raise UnhealthyError(msg)


def asked(module: Running) -> Steps[Health]:
    """Ask a module how it is; its own words show no secret."""
    whose = module.participant
    answer = (yield whose.call("probe")) if whose.has("probe") else None
    if not isinstance(answer, Health):
        values = answer if isinstance(answer, Mapping) else {}
        answer = Health(healthy=answer is not False, values=values)
    if answer.detail:
        return attrs.evolve(answer, detail=masked(answer.detail, whose.hides()))
    return answer


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
