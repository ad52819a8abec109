"""How an attempt to change the configuration ended: a closed set."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import ClassVar

import attrs

from midflight._plan import Plan
from midflight.errors import Fault


class Reason(enum.StrEnum):
    """The stable reasons that outcomes, logs and metrics share."""

    STARTED = "started"
    CHANGED = "changed"
    REPAIRED = "repaired"
    RECALLED = "recalled"
    SAME_TOKEN = "same_token"  # noqa: S105  # a change token, not a secret
    SAME_DIGEST = "same_digest"
    ALREADY_REJECTED = "already_rejected"
    AWAITING_APPROVAL = "awaiting_approval"
    APPLY_IN_PROGRESS = "apply_in_progress"
    INVALID = "invalid"
    PLAN_REFUSED = "plan_refused"
    PREPARE_REFUSED = "prepare_refused"
    STEP_FAILED = "step_failed"
    STEP_TIMEOUT = "step_timeout"
    PROBE_FAILED = "probe_failed"
    ROLLBACK_INCOMPLETE = "rollback_incomplete"
    SOURCE_UNAVAILABLE = "source_unavailable"
    PLUGIN_FAILED = "plugin_failed"
    STOPPED = "stopped"


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
        """Whether the wanted configuration is in force."""
        return isinstance(self, Applied) or self.reason is Reason.SAME_DIGEST


class Applied(Outcome, name="applied"):
    """All touched modules committed; the snapshot is the wanted document."""


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
