"""One attempt: read the source, judge what it gave, change what that needs."""

from __future__ import annotations

from typing import Any

import attrs

from midflight import _outcome as ends
from midflight._document import Document
from midflight._driver import NEVER, Steps, quietly
from midflight._engine import Snapshot
from midflight._outcome import Outcome, Reason, Unchanged
from midflight._plan import Plan, Verdict
from midflight._reading import Reading, document_of, every_fault, faults_in, transformed
from midflight._system import log
from midflight._transaction import Transaction
from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    MidflightError,
    is_transient,
)
from midflight.hookspecs import Layer, Loaded

_ORDER = {Code.E_DEP, Code.E_CYCLE}  # found before the modules were looked at
_OBSERVER_LIMIT = 5.0  # s that one observer may hold up the next attempt
_HEALTHY_FOR = 60.0  # s after which a pause starts from the shortest again


@attrs.define(eq=False, repr=False)
class Attempts(Reading):
    """Observed, desired, applied, rejected: each its own variable.

    Args:
        backoff: the longest pause between two tries, in seconds.
    """

    _backoff: float
    desired: str = ""
    rejected: Outcome | None = None
    held: Plan | None = None
    source_error: tuple[str, float] | None = None
    seen: float = 0.0  # when a look last found the source well, since 1970
    layers: tuple[Layer, ...] = ()
    author: str = ""
    retry_at: float = NEVER
    approved: str = ""
    _tries: int = 0
    _failed_at: float = 0.0

    def make(self, cause: str, actor: str = "") -> Steps[Outcome]:
        """Make one attempt, keep what it means, and tell the observers.

        Where nothing runs yet and this one fails, the last good is started instead.
        """
        before, first = self._kept(), not self.engine.snapshot.generation
        outcome = yield from self._completed(self._attempt(cause), cause, actor)
        self._note(outcome)
        spent = cause == "approve" or outcome.digest == self.approved
        if spent and not (outcome.transient or isinstance(outcome, Unchanged)):
            self.approved = ""  # an approval holds for one attempt, from that base
        if before != self._kept() or not isinstance(outcome, Unchanged):
            yield from self._tell("on_outcome", outcome=outcome)
        if first and not outcome.ok and self.engine.hooks.hook.recall.get_hookimpls():
            again = yield from self._completed(self._recalled(outcome), cause, actor)
            if again.ok:
                yield from self._tell("on_outcome", outcome=again)
                return again
        return outcome

    def _completed(
        self, attempt: Steps[Outcome], cause: str, actor: str
    ) -> Steps[Outcome]:
        """Make an attempt; its outcome says what was asked, and how long it took."""
        begun, snapshot = self._system.monotonic(), self.engine.snapshot
        try:
            outcome = yield from attempt
        except MidflightError as exc:
            outcome = _failed(exc, Reason.PLUGIN_FAILED, exc.code)
        except Exception as exc:  # noqa: BLE001  # reported as an outcome
            log.exception("an attempt ended in an unforeseen way")
            self._token = None
            outcome = _failed(exc, Reason.PLUGIN_FAILED, Code.E_PLUGIN)
        return attrs.evolve(
            outcome,
            cause=cause,
            actor=actor or self.author,
            generation=self.engine.snapshot.generation,
            digest=outcome.digest or self.desired,
            base=snapshot.digest if snapshot.generation else "",
            at=self._system.wall(),
            seconds=self._system.monotonic() - begun,
        )

    def _recalled(self, outcome: Outcome) -> Steps[Outcome]:
        """Start the last good document that a plugin kept, if there is one."""
        hooks = self.engine.hooks
        try:
            loaded = yield self.engine.foreign(
                "plugins",
                "recall",
                hooks.hook.recall,
                outcome=outcome,
                runtime=hooks.runtime,
            )
            if loaded is None:
                return outcome
            document, loaded = document_of(loaded)
            document = yield from transformed(self.engine, document)
            change = self.engine.change(self.engine.diff_to(document))
            plan = yield from self.engine.plan(change)
        except MidflightError as exc:
            log.warning("the last good configuration cannot be used: %s", exc)
            return outcome
        again = yield from self._carried_out(plan, document, loaded)
        return attrs.evolve(
            again,
            reason=Reason.RECALLED if again.ok else again.reason,
            digest=document.digest,
        )

    def _attempt(self, cause: str) -> Steps[Outcome]:
        insist, self.author = cause not in {"hint", "sweep"}, ""
        yield from self.note_inputs()
        try:
            found = yield from self.read(cause, insist=insist)
        except InvalidConfigurationError as exc:
            self.desired = ""
            self._recovered()
            faults = yield from every_fault(self.engine, exc)
            if not insist and self.rejected and self.rejected.faults == faults:
                return Unchanged(reason=Reason.ALREADY_REJECTED)  # told once
            return ends.Rejected(reason=Reason.INVALID, faults=faults, error=exc)
        except MidflightError as exc:
            self._token = None
            since = self.source_error[1] if self.source_error else self._system.wall()
            self.source_error = (str(exc), since)
            return _failed(exc, Reason.SOURCE_UNAVAILABLE, Code.E_SOURCE)
        self._recovered()
        if found is None:
            return Unchanged(reason=Reason.SAME_TOKEN)
        return (yield from self._judged(*found, insist=insist))

    def _judged(
        self, document: Document, loaded: Loaded, *, insist: bool
    ) -> Steps[Outcome]:
        """Find out what a document that was loaded needs, and do that."""
        self.layers, self.author, self.desired = loaded.layers, loaded.author, ""
        now = self.engine.snapshot
        try:
            document = yield from transformed(self.engine, document, loaded.positions)
            diff = self.engine.diff_to(document)
            self.desired = document.digest
            if now.generation and now.digest == self.desired and not now.degraded:
                # Its values may stand elsewhere by now, or hide others than before.
                self.engine.snapshot = attrs.evolve(
                    now, version=loaded.version, loaded=loaded
                )
                return Unchanged(reason=Reason.SAME_DIGEST)
            if self.rejected and self.rejected.digest == self.desired and not insist:
                return Unchanged(reason=Reason.ALREADY_REJECTED)
            plan = yield from self.engine.plan(self.engine.change(diff))
        except InvalidConfigurationError as exc:
            exc.positions = loaded.positions
            faults = yield from (
                faults_in(self.engine, document, exc.positions)
                if all(fault.code in _ORDER for fault in exc.faults)
                else every_fault(self.engine, exc)
            )
            return ends.Rejected(reason=Reason.INVALID, faults=faults, error=exc)
        return (yield from self._carried_out(plan, document, loaded))

    def _recovered(self) -> None:
        """Note that the source is well; what its absence stopped is tried again now."""
        self.seen = self._system.wall()
        if self.source_error:
            again = self.rejected is not None and self.rejected.transient
            self.retry_at = self._system.monotonic() if again else NEVER
            self.source_error = None

    def _carried_out(
        self, plan: Plan, document: Document, loaded: Loaded
    ) -> Steps[Outcome]:
        """Do what a plan says, or hold or refuse it."""
        if plan.verdict is Verdict.REFUSE:
            return ends.Rejected(
                reason=Reason.PLAN_REFUSED,
                plan=plan,
                faults=(Fault(plan.code, plan.reason),),
            )
        if plan.verdict is Verdict.HOLD and self.approved != document.digest:
            self.held = plan
            return ends.Held(reason=Reason.AWAITING_APPROVAL, plan=plan)
        old = self.engine.snapshot
        told = (
            Snapshot(
                document,
                old.generation + 1,
                self.source.label,
                loaded.version,
                self._system.wall(),
                loaded=loaded,
            ),
            loaded.positions,
            self._system,
        )
        yield from self._tell("on_apply", plan=plan, document=document)
        outcome = yield from Transaction(self.engine, plan, *told).run()
        if plan.fallback and isinstance(outcome, ends.Rejected | ends.RolledBack):
            log.warning("%s: %s instead", outcome.reason, plan.fallback.reason)
            outcome = yield from Transaction(self.engine, plan.fallback, *told).run()
        if isinstance(outcome, ends.Applied) and (old.degraded or not old.generation):
            reason = Reason.REPAIRED if old.generation else Reason.STARTED
            return attrs.evolve(outcome, reason=reason)
        return outcome

    # -- noting and telling ------------------------------------------------------

    def _kept(self) -> tuple[object, ...]:
        down = [layer.name for layer in self.layers if layer.error]
        return self.rejected, self.held, self.source_error, down

    def _note(self, outcome: Outcome) -> None:
        """Keep what the outcome means for the status."""
        if outcome.ok:
            self.rejected = self.held = None
            self.retry_at, self.approved = NEVER, ""
        elif isinstance(outcome, ends.Held):
            self.rejected, self.retry_at = None, NEVER
        elif not isinstance(outcome, Unchanged):
            if outcome.reason is not Reason.SOURCE_UNAVAILABLE:
                self.rejected, self.held = outcome, None
            self._retry_later(outcome)

    def _retry_later(self, outcome: Outcome) -> None:
        """Pause twice as long after each failure, from 1 s, with full jitter."""
        now = self._system.monotonic()
        if now - self._failed_at > _HEALTHY_FOR + self._backoff:
            self._tries = 0
        self._failed_at = now
        if not outcome.transient:
            self.retry_at = NEVER
        elif self.retry_at == NEVER or self.retry_at <= now:
            longest = min(self._backoff, 2.0**self._tries)
            self._tries = min(self._tries + 1, 10)
            self.retry_at = now + longest * self._system.random()

    def _tell(self, hook: str, **arguments: Any) -> Steps[None]:
        """Call each observer by itself; none can hurt another."""
        for call in self.engine.each(hook, _OBSERVER_LIMIT, **arguments):
            yield from quietly(call)


def _failed(error: Exception, reason: Reason, code: Code) -> Outcome:
    transient = reason is Reason.SOURCE_UNAVAILABLE or is_transient(error)
    faults = (Fault(code, str(error) or type(error).__name__),)
    return ends.Failed(reason=reason, faults=faults, transient=transient, error=error)
