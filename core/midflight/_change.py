"""What a strategy decides on, and whether its plan fits that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import attrs

from midflight._diff import Diff
from midflight._document import Document
from midflight._plan import Plan, Reconfigure, Restart, Start, Step, Stop
from midflight.errors import PlanError, PluginApiError, shown

_KINDS = (Start, Stop, Reconfigure, Restart)
_STAYS = (Reconfigure, Restart)


@attrs.define(eq=False)
class ModuleType:
    """What a module's class says of itself.

    Args:
        name: the type name.
        factory: the class, or a function with the same attributes.
        reconfigurable: whether its objects have a `reconfigure` hook.
    """

    name: str
    factory: Callable[..., Any]
    reconfigurable: bool | None = None

    @property
    def config(self) -> Any:
        """The class's `Config`, or `None` for a frozen mapping."""
        return getattr(self.factory, "Config", None)

    @property
    def sections(self) -> frozenset[str]:
        """The class's `sections`: the other sections of a document it reads."""
        return frozenset(getattr(self.factory, "sections", ()))

    @property
    def overlap(self) -> bool:
        """The class's `overlap`: its old and new object may live side by side."""
        return bool(getattr(self.factory, "overlap", False))

    @property
    def parallel(self) -> bool:
        """The class's `parallel`: its `prepare` may run beside those of others."""
        return bool(getattr(self.factory, "parallel", False))

    @property
    def deadline(self) -> float | None:
        """The class's `deadline` in seconds, or `None` for the runtime's."""
        seconds = getattr(self.factory, "deadline", None)
        if isinstance(seconds, int | float | None):
            return seconds
        msg = f"module type `{self.name}`: `deadline` is no number of seconds"
        raise PluginApiError(msg)


@attrs.frozen(eq=False)
class Kinds(Mapping[str, ModuleType]):
    """The types of running modules, without a pass over all of them."""

    _running: Mapping[str, Any]  # with a `kind` each

    def __getitem__(self, name: str) -> ModuleType:
        kind: ModuleType = self._running[name].kind
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(self._running)

    def __len__(self) -> int:
        return len(self._running)


@attrs.frozen(eq=False)
class Change:
    """What a strategy decides on.

    Args:
        diff: what differs between the running and the wanted document.
        modules: the types of the running modules, by module name.
        degraded: running modules that an earlier failure left out of step.
        read_sections: sections that live settings read, without any module.
    """

    diff: Diff
    modules: Mapping[str, ModuleType]
    degraded: tuple[str, ...] = ()
    read_sections: frozenset[str] = frozenset()
    # Strategies ask, and `settle` once more.
    _able: dict[str, bool] = attrs.field(factory=dict, init=False, repr=False)

    def can_reconfigure(self, name: str) -> bool:
        """Tell whether a running module can take its change in place.

        It cannot if it has no `reconfigure` hook, if its type or its dependencies
        changed, or if it is degraded.
        """
        if name not in self._able:
            (old, new), kind = self.diff.module(name), self.modules.get(name)
            self._able[name] = bool(
                old
                and new
                and kind
                and kind.reconfigurable
                and (old.type, old.depends_on) == (new.type, new.depends_on)
                and name not in self.degraded
            )
        return self._able[name]

    def readers(self, section: str) -> tuple[str, ...]:
        """Return the running modules that declare that they read a section."""
        return tuple(
            name for name, kind in self.modules.items() if section in kind.sections
        )

    def dependents(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the modules that need one of `names`, directly or not."""
        return dependents(self.diff.new, names)


def dependents(document: Document, names: Collection[str]) -> tuple[str, ...]:
    """Return a document's modules that need one of `names`, in build order."""
    reached = set(names)
    for name in document.build_order if names else ():
        if not reached.isdisjoint(document.modules[name].depends_on):
            reached.add(name)
    new = reached.difference(names)
    return tuple(name for name in document.build_order if name in new) if new else ()


def settle(plan: Plan, change: Change) -> Plan:
    """Check that a plan fits its change, mend what is degraded, put it in order.

    Raises:
        PlanError: if a step does not fit, or a changed module has no step.
    """
    diff, steps = change.diff, _by_module(plan)
    broken = [name for name in change.degraded if name in diff.new.modules]
    for name in (*broken, *change.dependents(broken)):
        if name in diff.old.modules and not isinstance(steps.get(name), Restart):
            steps[name] = Restart(name, "degraded by an earlier failure")
    wanted: dict[str, tuple[type[Step], ...]] = {
        **dict.fromkeys(diff.added, (Start,)),
        **dict.fromkeys(diff.removed, (Stop,)),
        **dict.fromkeys(diff.modified, _STAYS),
    }
    for name in wanted.keys() | steps.keys():
        step = steps.get(name)
        kept = _STAYS if name in diff.new.modules else ()
        fits = isinstance(step, wanted.get(name, kept))
        refused = isinstance(step, Reconfigure) and not change.can_reconfigure(name)
        if refused or not fits:
            had = f"`{step.action}`" if step else "no step"
            msg = f"plan has {had} for module `{name}`, which does not fit the change"
            raise PlanError(msg)
    fallback = settle(plan.fallback, change) if plan.fallback else None
    return attrs.evolve(plan, steps=_ordered(steps, diff), fallback=fallback)


def _by_module(plan: Plan) -> dict[str, Step]:
    steps: dict[str, Step] = {}
    for step in plan.steps:
        if not isinstance(step, _KINDS):
            msg = f"plan has something that is no step: {shown(step)}"
            raise PlanError(msg)
        if step.module in steps:
            msg = f"plan has two steps for module `{step.module}`"
            raise PlanError(msg)
        steps[step.module] = step
    return steps


def _ordered(steps: dict[str, Step], diff: Diff) -> tuple[Step, ...]:
    """Stops first, dependents before what they need; then the rest, needs first."""
    if len(steps) <= 1:  # nothing to order: spares a sort of all modules
        return tuple(steps.values())
    removed = frozenset(diff.removed)
    gone = [name for name in reversed(diff.old.build_order) if name in removed]
    return tuple(
        steps[name] for name in (*gone, *diff.new.build_order) if name in steps
    )
