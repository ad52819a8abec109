"""Plans: what a change needs, as frozen ordered steps, or hold, or refuse."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import attrs

from midflight._diff import Diff
from midflight.errors import Code


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
        fallback: what to do instead if a module refuses its step or fails in it.
    """

    steps: tuple[Step, ...] = ()
    verdict: Verdict = attrs.field(default=Verdict.APPLY, converter=Verdict)
    reason: str = ""
    code: Code = Code.E_PLAN
    fallback: Plan | None = None

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
