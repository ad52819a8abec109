"""Restarts a module where a field marked `x-midflight: restart` changed.

Whatever the strategy: a module that says so cannot take that change in place. Where
a field that changed is marked live or secret, the reason of the step says so.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Plan, Reconfigure, Restart, hookimpl
from midflight.errors import Path, dotted

if TYPE_CHECKING:
    from midflight import Change, Runtime

_SHARED = "strategies.marks"
_NAMED = 3  # fields that a reason names of each mark
_Marks = Mapping[str, Sequence[str]]


@hookimpl(wrapper=True)
def on_change(change: Change, runtime: Runtime) -> Generator[None, Any, Any]:
    """Put a restart in the place of a reconfiguration that a mark forbids."""
    plan = yield
    return _marked(plan, change, runtime) if isinstance(plan, Plan) else plan


def _marked(plan: Plan, change: Change, runtime: Runtime) -> Plan:
    changed = _Changed(change, runtime)
    found = {
        step.module: marks
        for step in plan.steps
        if (isinstance(step, Reconfigure) or (isinstance(step, Restart) and step.paths))
        and (marks := changed.marks(step.module))
    }
    if not found:
        return plan
    steps: dict[Any, Any] = {getattr(step, "module", step): step for step in plan.steps}
    anew = []
    for name, marks in found.items():
        if "restart" in marks and isinstance(steps[name], Reconfigure):
            reason = f"`{marks['restart'][0]}` changed, which needs a restart"
            steps[name] = Restart(name, reason, steps[name].paths)
            anew.append(name)
    for name in change.dependents(anew):
        if name not in steps or isinstance(steps[name], Reconfigure):
            steps[name] = Restart(name, "depends on a restarted module")
    for name, marks in found.items():
        told = [steps[name].reason, *_said(marks, steps[name])]
        steps[name] = attrs.evolve(steps[name], reason="; ".join(told))
    left = any(isinstance(step, Reconfigure) for step in steps.values())
    # nothing is taken in place: a full reload would but repeat what failed
    fallback = plan.fallback if left or not anew else None
    return attrs.evolve(plan, steps=tuple(steps.values()), fallback=fallback)


def _said(marks: _Marks, step: object) -> Iterator[str]:
    """Say which fields are taken live, unless all begins anew, and which are secret."""
    if "live" in marks and isinstance(step, Reconfigure):
        yield f"{_listed(marks['live'])} taken live"
    if "secret" in marks:
        yield f"{_listed(marks['secret'])} secret"


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(f"`{name}`" for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if names[_NAMED:] else ""
    return f"{text}{more} {'are' if names[1:] else 'is'}"


class _Changed:
    """Tells how what changed is marked; many modules of one type ask the same."""

    def __init__(self, change: Change, runtime: Runtime) -> None:
        self._change, self._runtime = change, runtime
        # of which marks a type has any: mostly none, which is all there is to know
        self._types: dict[str, tuple[str, ...]] = runtime.shared.setdefault(_SHARED, {})
        self._known: dict[tuple[str, Path], list[str]] = {}

    def marks(self, name: str) -> _Marks:
        """Return the fields of a module that changed, by each mark they have."""
        found: dict[str, list[str]] = {}
        entry = self._change.diff.module(name)[1]
        if entry is None or not self._of_type(entry.type):
            return found
        head = ("modules", name, "config")
        for each in self._change.diff.key_changes(name):
            path = each.path[len(head) :]
            for mark in (
                self._at(entry.type, path) if each.path[: len(head)] == head else ()
            ):
                found.setdefault(mark, []).append(dotted(path))
        return found

    def _of_type(self, name: str) -> tuple[str, ...]:
        if name not in self._types:
            from midflight_plugins.schema import MARKS, said_of

            said = said_of(self._runtime, name)
            self._types[name] = tuple(m for m in MARKS if said and said.mentions(m))
        return self._types[name]

    def _at(self, type_name: str, path: Path) -> list[str]:
        """Return the marks of a path; what holds a secret is one, so with a restart."""
        key = type_name, path
        if key not in self._known:
            from midflight_plugins.schema import said_of

            said = said_of(self._runtime, type_name)
            here = said and said.at(path)
            self._known[key] = [
                mark
                for mark in self._of_type(type_name)
                if here
                and (here.mark == mark if mark == "live" else here.mentions(mark))
            ]
        return self._known[key]
