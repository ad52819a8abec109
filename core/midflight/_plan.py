"""Plans: what a change needs, as frozen ordered steps, or hold, or refuse."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from midflight._diff import Diff
from midflight._document import Document
from midflight.errors import Code, PlanError


@attrs.frozen
class Step:
    """What happens to one module.

    Args:
        module: its name.
        reason: why, in a few words.
        paths: the dotted key paths behind it.
    """

    module: str
    reason: str = ""
    paths: tuple[str, ...] = ()

    @property
    def action(self) -> str:
        """The step's name in lower case: `start`, `stop`, ..."""
        return type(self).__name__.lower()


class Start(Step):
    """Make a module that is not running, and start it."""


class Stop(Step):
    """Stop a module and let it go."""


class Reconfigure(Step):
    """Hand a running module its new configuration."""


class Restart(Step):
    """Stop a module and start a new object in its place, perhaps of another type."""


class Verdict(enum.StrEnum):
    """What shall happen to a plan."""

    APPLY = "apply"
    HOLD = "hold"
    REFUSE = "refuse"


@attrs.frozen
class Plan:
    """Steps in the order in which they are taken, and whether to take them.

    Args:
        steps: at most one for each module; the core puts them in dependency order.
        verdict: apply now, hold until `Runtime.approve`, or refuse the change.
        reason: why, for people.
        code: the error code of a refusal.
    """

    steps: tuple[Step, ...] = ()
    verdict: Verdict = Verdict.APPLY
    reason: str = ""
    code: Code = Code.E_PLAN

    @classmethod
    def hold(cls, steps: Iterable[Step], reason: str) -> Plan:
        """Make the plan and wait for approval."""
        return cls(tuple(steps), Verdict.HOLD, reason)

    @classmethod
    def refuse(cls, reason: str, code: Code = Code.E_PLAN) -> Plan:
        """Refuse the change; the running configuration stays."""
        return cls((), Verdict.REFUSE, reason, code)

    @classmethod
    def full(cls, diff: Diff, reason: str = "full reload") -> Plan:
        """Restart everything that stays, start what is new, stop what is gone."""
        stops = [Stop(name, "removed") for name in diff.removed]
        rest = [
            Restart(name, reason) if name in diff.old.modules else Start(name, "added")
            for name in diff.new.modules
        ]
        return cls((*stops, *rest), reason=reason)


@attrs.frozen
class ModuleInfo:
    """What a strategy may know of a running module.

    Args:
        type: its type name.
        reconfigurable: whether it has a `reconfigure` hook.
        sections: the other sections it says it reads.
        state: `running` or `degraded`.
    """

    type: str
    reconfigurable: bool
    sections: frozenset[str] = frozenset()
    state: str = "running"


@attrs.frozen
class Change:
    """What a strategy decides on.

    Args:
        diff: what differs between the running and the wanted document.
        modules: the running modules by name.
        read_sections: sections that live settings read, without any module.
    """

    diff: Diff
    modules: Mapping[str, ModuleInfo]
    read_sections: frozenset[str] = frozenset()

    def can_reconfigure(self, name: str) -> bool:
        """Tell whether a modified module can take its change in place.

        It cannot if it has no `reconfigure` hook, if its type or its dependencies
        changed, or if it is degraded.
        """
        old, new = self.diff.module(name)
        info = self.modules.get(name)
        return bool(
            old
            and new
            and info
            and info.reconfigurable
            and info.state == "running"
            and old.type == new.type
            and old.depends_on == new.depends_on
        )

    def readers(self, section: str) -> tuple[str, ...]:
        """Return the running modules that declare that they read a section."""
        return tuple(
            name for name, info in self.modules.items() if section in info.sections
        )

    def dependents(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the modules that need one of `names`, directly or not."""
        return dependents(self.diff.new, names)


def dependents(document: Document, names: Collection[str]) -> tuple[str, ...]:
    """Return the modules of a document that need one of `names`, not `names` themselves."""
    if not any(module.depends_on for module in document.modules.values()):
        return ()
    reached = set(names)
    for name in document.build_order:
        if not reached.isdisjoint(document.modules[name].depends_on):
            reached.add(name)
    return tuple(name for name in document.build_order if name in reached.difference(names))


def settle(plan: Plan, change: Change) -> Plan:
    """Check that a plan fits its change, mend what is degraded, put it in order.

    Raises:
        PlanError: if a step does not fit, or a changed module has no step.
    """
    diff = change.diff
    steps = {step.module: step for step in plan.steps}
    if len(steps) != len(plan.steps):
        msg = "plan has two steps for one module"
        raise PlanError(msg)
    for name, info in change.modules.items():
        if info.state != "running" and name in diff.new.modules:
            if not isinstance(steps.get(name), Restart):
                steps[name] = Restart(name, "degraded by an earlier failure")
            for other in dependents(diff.new, (name,)):
                if other in diff.old.modules and not isinstance(
                    steps.get(other), Start
                ):
                    steps[other] = Restart(other, f"depends on `{name}`")
    wanted: dict[str, tuple[type[Step], ...]] = {
        **dict.fromkeys(diff.added, (Start,)),
        **dict.fromkeys(diff.removed, (Stop,)),
        **dict.fromkeys(diff.modified, (Reconfigure, Restart)),
    }
    for name in wanted.keys() | steps.keys():
        allowed = wanted.get(name) or (
            (Reconfigure, Restart) if name in diff.new.modules else ()
        )
        step = steps.get(name)
        if not isinstance(step, allowed) or (
            isinstance(step, Reconfigure) and not change.can_reconfigure(name)
        ):
            had = f"`{step.action}`" if step else "no step"
            msg = f"plan has {had} for module `{name}`, which the change does not allow"
            raise PlanError(msg)
    return attrs.evolve(plan, steps=_ordered(steps, diff))


def _ordered(steps: dict[str, Step], diff: Diff) -> tuple[Step, ...]:
    """Stops first, dependents before what they need; then the rest, needs first."""
    if len(steps) < 2:  # noqa: PLR2004  # nothing to order: spares a sort of all modules
        return tuple(steps.values())
    gone = [name for name in reversed(diff.old.build_order) if name in diff.removed]
    order = (*gone, *diff.new.build_order)
    return tuple(steps[name] for name in order if name in steps)


def as_data(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data for JSON."""
    return {
        "verdict": str(plan.verdict),
        "reason": plan.reason,
        "steps": [
            {
                "action": step.action,
                "module": step.module,
                "reason": step.reason,
                "paths": list(step.paths),
            }
            for step in plan.steps
        ],
    }
