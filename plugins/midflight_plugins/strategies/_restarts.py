"""Restarts a module where a field marked `x-midflight: restart` changed.

Whatever the strategy: a module that says so cannot take that change in place.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Plan, Reconfigure, Restart, hookimpl
from midflight.errors import Path, dotted

if TYPE_CHECKING:
    from midflight import Change, Runtime


@hookimpl(wrapper=True)
def on_change(change: Change, runtime: Runtime) -> Generator[None, Any, Any]:
    """Put a restart in the place of a reconfiguration that a mark forbids."""
    plan = yield
    return _marked(plan, change, runtime) if isinstance(plan, Plan) else plan


def _marked(plan: Plan, change: Change, runtime: Runtime) -> Plan:
    needs = _Needs(change, runtime)
    reasons = {
        step.module: why
        for step in plan.steps
        if isinstance(step, Reconfigure) and (why := needs.restart(step.module))
    }
    if not reasons:
        return plan
    steps: dict[Any, Any] = {getattr(step, "module", step): step for step in plan.steps}
    for name, reason in reasons.items():
        steps[name] = Restart(name, reason, steps[name].paths)
    for name in change.dependents(reasons):
        if name not in steps or isinstance(steps[name], Reconfigure):
            steps[name] = Restart(name, "depends on a restarted module")
    left = any(isinstance(step, Reconfigure) for step in steps.values())
    # nothing is taken in place: a full reload would but repeat what failed
    fallback = plan.fallback if left else None
    return attrs.evolve(plan, steps=tuple(steps.values()), fallback=fallback)


class _Needs:
    """Tells what a change needs; many modules of one type ask the same."""

    def __init__(self, change: Change, runtime: Runtime) -> None:
        self._change, self._runtime = change, runtime
        self._known: dict[tuple[str, Path], bool] = {}

    def restart(self, name: str) -> str:
        """Return why a module has to be restarted, empty if nothing says so."""
        entry = self._change.diff.module(name)[1]
        if entry is None or not self._marks(entry.type, ()):
            return ""
        head = ("modules", name, "config")
        for each in self._change.diff.key_changes(name):
            path = each.path[len(head) :]
            if each.path[: len(head)] == head and self._marks(entry.type, path):
                return f"`{dotted(path)}` changed, which needs a restart"
        return ""

    def _marks(self, type_name: str, path: Path) -> bool:
        """Tell whether a restart is said of a path or of anything below it."""
        key = type_name, path
        if key not in self._known:
            from midflight_plugins.schema import RESTART, said_of

            said = said_of(self._runtime, type_name)
            found = said is not None and said.at(path).mentions(RESTART)
            self._known[key] = found
        return self._known[key]
