"""How an attempt to change the configuration ended: a closed set."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from enum import auto
from typing import ClassVar

import attrs

from midflight._plan import Plan
from midflight.errors import Fault


class Reason(enum.StrEnum):
    """The stable reasons that outcomes, logs and metrics share."""

    # in force: now, or already
    STARTED, CHANGED, REPAIRED, RECALLED = auto(), auto(), auto(), auto()
    SAME_TOKEN, SAME_DIGEST = auto(), auto()
    # waiting
    AWAITING_APPROVAL, APPLY_IN_PROGRESS = auto(), auto()
    # refused before anything was changed
    ALREADY_REJECTED, INVALID = auto(), auto()
    PLAN_REFUSED, PREPARE_REFUSED = auto(), auto()
    # taken back
    STEP_FAILED, STEP_TIMEOUT, PROBE_FAILED = auto(), auto(), auto()
    # failed
    ROLLBACK_INCOMPLETE, SOURCE_UNAVAILABLE = auto(), auto()
    PLUGIN_FAILED, STOPPED = auto(), auto()


@attrs.frozen(kw_only=True, eq=False)
class Outcome:
    """How one attempt ended; one of the six subclasses.

    Args:
        reason: the stable reason.
        cause: what asked for the attempt: `start`, `hint`, `sweep`, `retry`, `reload`
            or `approve`.
        generation: the generation in force after the attempt.
        digest: the digest that was attempted; empty if nothing could be read.
        base: the digest in force before the attempt; empty at the first.
        actor: who asked for it, or made the version that was read; empty if unknown.
        plan: the steps, once there was a plan.
        faults: what is wrong, as data.
        degraded: modules that could not be brought back, by name.
        warnings: what went wrong without changing the result.
        took: seconds that the commit of each module took, by name.
        at: when it ended, in seconds since 1970.
        seconds: how long the attempt took.
        transient: whether the same content will be tried again.
        error: the exception behind it.
    """

    name: ClassVar[str] = "outcome"

    reason: Reason
    cause: str = ""
    generation: int = 0
    digest: str = ""
    base: str = ""
    actor: str = ""
    plan: Plan | None = None
    faults: tuple[Fault, ...] = ()
    degraded: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    took: Mapping[str, float] = attrs.field(factory=dict)
    at: float = 0.0
    seconds: float = 0.0
    transient: bool = False
    error: BaseException | None = attrs.field(default=None, repr=False)

    def __init_subclass__(cls, name: str = "") -> None:
        cls.name = name or cls.name

    @property
    def ok(self) -> bool:
        """Whether what is wanted is in force, or if `recalled`, the last good."""
        return isinstance(self, Applied) or self.reason is Reason.SAME_DIGEST


class Applied(Outcome, name="applied"):
    """All touched modules committed; the snapshot is what was wanted, or recalled."""


class Unchanged(Outcome, name="unchanged"):
    """There was nothing to do."""


class Held(Outcome, name="held"):
    """There is a plan, and it waits."""


class Rejected(Outcome, name="rejected"):
    """Refused before any module was changed."""


class RolledBack(Outcome, name="rolled_back"):
    """A step failed; every module is as it was before."""


class Failed(Outcome, name="failed"):
    """The attempt could not be made, or could not be wholly undone."""
