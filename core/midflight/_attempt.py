"""One attempt: read the source, judge what it gave, change what that needs."""

from __future__ import annotations

import functools
import logging
from collections.abc import Generator, Mapping
from typing import Any

import attrs

from midflight._document import Document
from midflight._driver import Call, Owner
from midflight._engine import Engine, Snapshot
from midflight._outcome import (
    Applied,
    Failed,
    Held,
    Outcome,
    Reason,
    Rejected,
    RolledBack,
    Unchanged,
)
from midflight._plan import Plan, Verdict
from midflight._plugins import Participant
from midflight._system import System
from midflight._transaction import Transaction
from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    MidflightError,
    PluginError,
    is_transient,
)
from midflight.hookspecs import Loaded

_log = logging.getLogger("midflight")
_OBSERVER_LIMIT = 5.0  # s that one observer may hold up the next attempt


def read(
    engine: Engine, source: Participant
) -> Generator[Call, Any, tuple[Document, Loaded]]:
    """Load a source once and transform what it gave.

    Raises:
        InvalidConfigurationError: for content that is wrong.
        MidflightError: for a source that cannot be read.
    """
    loaded = yield source.call("load", runtime=engine.runtime)
    if isinstance(loaded, Mapping):
        loaded = Loaded(loaded)
    if not isinstance(loaded, Loaded):
        msg = f"{source.label}: `load` returned {type(loaded).__name__}, not Loaded"
        raise PluginError(msg)
    document = loaded.document
    if not isinstance(document, Document):
        document = Document.from_mapping(document, loaded.positions)
    hook = engine.hooks.hook.transform
    if hook.get_hookimpls():
        arguments = {"document": document, "runtime": engine.runtime}
        change = functools.partial(hook.call_extra, [_identity], arguments)
        document = yield engine.plugin_call("transform", change)
    return document, loaded


def _identity(document: Document) -> Document:
    return document


@attrs.frozen
class Refusal:
    """What was refused, and why.

    Args:
        digest: the digest refused; empty if the content could not be read.
        reason: the stable reason.
        faults: what is wrong.
        at: when, in seconds since 1970.
    """

    digest: str
    reason: Reason
    faults: tuple[Fault, ...]
    at: float


class Attempts:
    """Observed, desired, applied, rejected: each its own variable.

    Args:
        engine: what runs.
        source: what is wanted, as a participant.
        system: time and chance.
        backoff: the longest pause between two tries, in seconds.
    """

    def __init__(
        self, engine: Engine, source: Participant, system: System, backoff: float
    ) -> None:
        self.engine = engine
        self.source = source
        self.desired = ""
        self.rejected: Refusal | None = None
        self.held: Plan | None = None
        self.source_error: tuple[str, float] | None = None
        self.retry_at: float | None = None
        self.approved = ""
        self._system = system
        self._backoff = backoff
        self._token: str | None = None
        self._tries = 0
        self._failed_at = 0.0
        self._said = ""
        self._observers: dict[str, Owner] = {}

    def make(self, cause: str) -> Generator[Call, Any, Outcome]:
        """Make one attempt and tell the observers how it ended."""
        begun = self._system.monotonic()
        outcome = yield from self._attempt(cause)
        snapshot = self.engine.snapshot
        outcome = attrs.evolve(
            outcome,
            cause=cause,
            generation=snapshot.generation,
            digest=outcome.digest or self.desired,
            seconds=self._system.monotonic() - begun,
        )
        news = self._note(outcome)
        if news or not isinstance(outcome, Unchanged):
            yield from self._tell(outcome)
        return outcome

    # -- reading and judging -----------------------------------------------------

    def _attempt(self, cause: str) -> Generator[Call, Any, Outcome]:
        insist = cause not in {"hint", "sweep"}
        try:
            token = yield from self._look()
            if token is not None and token == self._token and not insist:
                return Unchanged(reason=Reason.SAME_TOKEN)
            self._token = None
            document, loaded = yield from read(self.engine, self.source)
        except InvalidConfigurationError as exc:
            self._was_read(token)
            self.desired = ""
            return Rejected(reason=Reason.INVALID, faults=exc.faults, error=exc)
        except MidflightError as exc:
            return self._unread(exc)
        self._was_read(token)
        self.desired = digest = document.digest
        snapshot = self.engine.snapshot
        if snapshot.generation and digest == snapshot.digest:
            if not self.engine.degraded:
                return Unchanged(reason=Reason.SAME_DIGEST)
        if self.rejected and digest == self.rejected.digest and not insist:
            return Unchanged(reason=Reason.ALREADY_REJECTED)
        return (yield from self._change(document, loaded))

    def _look(self) -> Generator[Call, Any, str | None]:
        if not self.source.has("hash"):
            return None
        token: str | None = yield self.source.call("hash", runtime=self.engine.runtime)
        return token

    def _was_read(self, token: str | None) -> None:
        self._token = token
        if self.source_error:
            self.source_error = self.retry_at = None

    def _unread(self, error: MidflightError) -> Outcome:
        since = self.source_error[1] if self.source_error else self._system.wall()
        self.source_error = (str(error), since)
        return Failed(
            reason=Reason.SOURCE_UNAVAILABLE,
            faults=(Fault(Code.E_SOURCE, str(error)),),
            transient=True,
            error=error,
        )

    def _change(
        self, document: Document, loaded: Loaded
    ) -> Generator[Call, Any, Outcome]:
        """Plan the way to a document, and go it unless the plan says otherwise."""
        engine = self.engine
        try:
            _ = document.build_order
            plan = yield from engine.plan(engine.change_to(document))
        except InvalidConfigurationError as exc:
            return self._ill_ordered(exc, loaded)
        except MidflightError as exc:
            fault = Fault(exc.code, str(exc))
            return Failed(
                reason=Reason.PLUGIN_FAILED,
                faults=(fault,),
                transient=is_transient(exc),
                error=exc,
            )
        if plan.verdict is Verdict.REFUSE:
            fault = Fault(plan.code, plan.reason)
            return Rejected(reason=Reason.PLAN_REFUSED, plan=plan, faults=(fault,))
        if plan.verdict is Verdict.HOLD and self.approved != document.digest:
            self.held = plan
            return Held(reason=Reason.AWAITING_APPROVAL, plan=plan)
        snapshot = Snapshot(
            document,
            engine.snapshot.generation + 1,
            self.source.label,
            loaded.version,
            self._system.wall(),
        )
        transaction = Transaction(engine, plan, snapshot, loaded.positions)
        return (yield from transaction.run())

    @staticmethod
    def _ill_ordered(error: InvalidConfigurationError, loaded: Loaded) -> Outcome:
        faults = tuple(fault.under((), loaded.positions) for fault in error.faults)
        return Rejected(reason=Reason.INVALID, faults=faults, error=error)

    # -- noting and telling ------------------------------------------------------

    def _note(self, outcome: Outcome) -> bool:
        """Keep what the outcome means for the status; True if that is news."""
        before = (self.rejected, self.retry_at is None, self._said)
        if isinstance(outcome, Rejected | RolledBack | Failed):
            if outcome.reason is not Reason.SOURCE_UNAVAILABLE:
                self.rejected = Refusal(
                    outcome.digest,
                    outcome.reason,
                    outcome.faults,
                    self._system.wall(),
                )
            self._retry_later(outcome)
        elif outcome.ok:
            self.rejected = self.held = self.retry_at = None
            self.approved = ""
        self._log(outcome)
        return before != (self.rejected, self.retry_at is None, self._said)

    def _retry_later(self, outcome: Outcome) -> None:
        """Pause twice as long after each failure, from 1 s, with full jitter."""
        now = self._system.monotonic()
        if now - self._failed_at > 60 + self._backoff:
            self._tries = 0
        self._failed_at = now
        self.retry_at = None
        if outcome.transient:
            longest = min(self._backoff, 2.0**self._tries)
            self._tries = min(self._tries + 1, 10)
            self.retry_at = now + longest * self._system.random()

    def _log(self, outcome: Outcome) -> None:
        """Say each thing once, not once per tick."""
        if isinstance(outcome, Applied):
            said = f"generation {outcome.generation} applied: {_summary(outcome.plan)}"
        elif isinstance(outcome, Unchanged):
            if not outcome.ok or not self._said.startswith("!"):
                return
            said = "healthy again on the running configuration"
        elif isinstance(outcome, Held):
            said = f"held, {outcome.reason}: {_summary(outcome.plan)}"
        else:
            what = "\n  ".join(str(fault) for fault in outcome.faults)
            said = f"!{outcome.name}, {outcome.reason}:\n  {what}"
        if said != self._said or isinstance(outcome, Applied):
            self._said = said
            level = logging.ERROR if said.startswith("!") else logging.INFO
            _log.log(level, "%s", said.removeprefix("!"))

    def _tell(self, outcome: Outcome) -> Generator[Call, Any, None]:
        """Call each observer by itself; none can hurt another."""
        arguments = {"outcome": outcome, "runtime": self.engine.runtime}
        for impl in self.engine.hooks.hook.on_outcome.get_hookimpls():
            label = f"plugin `{impl.plugin_name}`"
            owner = self._observers.setdefault(label, Owner(label))
            values = [arguments[name] for name in impl.argnames]
            call = functools.partial(impl.function, *values)
            try:
                yield Call(call, owner, "on_outcome", _OBSERVER_LIMIT)
            except MidflightError as exc:
                _log.warning("%s", exc)


def _summary(plan: Plan | None) -> str:
    steps = plan.steps if plan else ()
    few = ", ".join(f"{step.action} {step.module}" for step in steps[:8])
    return f"{few}{', …' if len(steps) > 8 else ''}" or "no module touched"  # noqa: PLR2004  # as sliced above
