"""One attempt: read the source, judge what it gave, change what that needs."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Mapping
from typing import Any

import attrs

from midflight import _outcome as ends
from midflight._document import Document
from midflight._driver import Call, Owner, Steps
from midflight._engine import Engine, Snapshot
from midflight._outcome import Outcome, Reason, Unchanged
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
    Positions,
    SourceUnavailableError,
    is_transient,
)
from midflight.hookspecs import Layer, Loaded

_log = logging.getLogger("midflight")
_ORDER = {Code.E_DEP, Code.E_CYCLE}  # found before the modules were looked at
_OBSERVER_LIMIT = 5.0  # s that one observer may hold up the next attempt
_HEALTHY_FOR = 60.0  # s after which a pause starts from the shortest again


def loaded_from(source: Participant) -> Steps[tuple[Document, Loaded]]:
    """Load a source once.

    Raises:
        InvalidConfigurationError: for content that is wrong.
        MidflightError: for a source that cannot be read.
    """
    loaded = yield source.call("load")
    if not isinstance(loaded, Loaded | Mapping):
        msg = f"{source.label}: `load` returned {type(loaded).__name__}, not Loaded"
        raise PluginError(msg)
    return document_of(loaded)


def document_of(loaded: Loaded | Mapping[str, Any]) -> tuple[Document, Loaded]:
    """Return what one read gave as a document.

    Raises:
        InvalidConfigurationError: for content that is wrong.
    """
    if not isinstance(loaded, Loaded):
        loaded = Loaded(loaded)
    document = loaded.document
    if not isinstance(document, Document):
        document = Document.from_mapping(document, loaded.positions)
        loaded = attrs.evolve(loaded, document=document)
    return document, loaded


def transformed(engine: Engine, document: Document) -> Steps[Document]:
    """Let the plugins change a document that was loaded.

    Raises:
        InvalidConfigurationError: if they find its content wrong.
        MidflightError: if one of them fails.
    """
    hook = engine.hooks.hook.transform
    if hook.get_hookimpls():
        arguments = {"document": document, "runtime": engine.runtime}
        call = functools.partial(hook.call_extra, [_identity], arguments)
        document = yield engine.foreign("plugins", "transform", call)
    if not isinstance(document, Document):
        msg = f"a `transform` returned {type(document).__name__}, not a Document"
        raise PluginError(msg)
    return document


def every_fault(
    engine: Engine, error: InvalidConfigurationError
) -> Steps[tuple[Fault, ...]]:
    """Return an error's faults, and those of what is sound in its document."""
    if error.partial is None:
        return error.faults
    with contextlib.suppress(MidflightError):
        document = yield from transformed(engine, error.partial)
        more = yield from faults_in(engine, document, error.positions, ordered=False)
        return (*error.faults, *more)
    return error.faults


def faults_in(
    engine: Engine,
    document: Document,
    positions: Positions | None,
    *,
    ordered: bool = True,
) -> Steps[tuple[Fault, ...]]:
    """Return every fault of a document's modules."""
    try:
        names = document.modules
        yield from engine.resolve(document, names, positions, ordered=ordered)
    except InvalidConfigurationError as exc:
        return exc.faults
    return ()


def _identity(document: Document) -> Document:
    return document


@attrs.define(eq=False, repr=False)
class Attempts:
    """Observed, desired, applied, rejected: each its own variable.

    Args:
        engine: what runs.
        source: what is wanted, as a participant.
        system: time and chance.
        backoff: the longest pause between two tries, in seconds.
    """

    engine: Engine
    source: Participant
    _system: System
    _backoff: float
    desired: str = ""
    rejected: Outcome | None = None
    held: Plan | None = None
    source_error: tuple[str, float] | None = None
    layers: tuple[Layer, ...] = ()
    author: str = ""
    retry_at: float | None = None
    approved: str = ""
    _token: str | None = None
    # Whether `_token` is known to be that of what was loaded. If not, content that
    # came and went in between could hide: the next look loads once more.
    _proven: bool = False
    _tells: bool = False  # whether `load` says which token it belongs to
    _tries: int = 0
    _failed_at: float = 0.0
    reading: threading.Lock = attrs.field(factory=threading.Lock)

    def make(self, cause: str, actor: str = "") -> Steps[Outcome]:
        """Make one attempt, keep what it means, and tell the observers.

        Where nothing runs yet and this one fails, the last good is started instead.
        """
        before, first = self._kept(), not self.engine.snapshot.generation
        outcome = yield from self._completed(self._attempt(cause), cause, actor)
        self._note(outcome)
        yield from self._told(outcome, cause, before)
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
        except Exception as exc:  # noqa: BLE001  # reported as an outcome
            _log.exception("an attempt ended in an unforeseen way")
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

    def _told(
        self, outcome: Outcome, cause: str, before: tuple[object, ...]
    ) -> Steps[None]:
        """Tell the observers, unless it was a mere look; let go of an approval."""
        spent = cause == "approve" or outcome.digest == self.approved
        if spent and not (outcome.transient or isinstance(outcome, Unchanged)):
            self.approved = ""  # an approval holds for one attempt, from that base
        if before != self._kept() or not isinstance(outcome, Unchanged):
            yield from self._tell("on_outcome", outcome=outcome)

    def _recalled(self, outcome: Outcome) -> Steps[Outcome]:
        """Start the last good document that a plugin kept, if there is one."""
        ask = self.engine.hooks.hook.recall
        more = {"outcome": outcome, "runtime": self.engine.runtime}
        try:
            loaded = yield self.engine.foreign("plugins", "recall", ask, **more)
            if loaded is None:
                return outcome
            document, loaded = document_of(loaded)
            document = yield from transformed(self.engine, document)
            plan = yield from self.engine.plan(self.engine.change_to(document))
        except MidflightError as exc:
            _log.warning("the last good configuration cannot be used: %s", exc)
            return outcome
        again = yield from self._carried_out(plan, document, loaded)
        reason = Reason.RECALLED if again.ok else again.reason
        return attrs.evolve(again, reason=reason, digest=document.digest)

    def _attempt(self, cause: str) -> Steps[Outcome]:
        insist = cause not in {"hint", "sweep"}
        positions: Positions | None = None
        try:
            inputs = yield from self._inputs()
            found = yield from self._read_alone(cause, inputs, insist=insist)
            if isinstance(found, Outcome):
                return found
            loaded, positions = found[1], found[1].positions
            self.layers, self.author = loaded.layers, loaded.author
            document = yield from transformed(self.engine, found[0])
            self.desired = document.digest
            known = self._known(document, insist=insist)
            if known is not None:
                return known
            plan = yield from self.engine.plan(self.engine.change_to(document))
        except InvalidConfigurationError as exc:
            faults = tuple(fault.under((), positions) for fault in exc.faults)
            if all(fault.code in _ORDER for fault in faults):
                faults = yield from faults_in(self.engine, document, positions)
            return ends.Rejected(reason=Reason.INVALID, faults=faults, error=exc)
        except MidflightError as exc:
            return _failed(exc, Reason.PLUGIN_FAILED, exc.code)
        return (yield from self._carried_out(plan, document, loaded))

    def _inputs(self) -> Steps[str]:
        """Return a token of what `transform` reads beside the document."""
        ask = self.engine.hooks.hook.inputs
        if not ask.get_hookimpls():
            return ""
        runtime = self.engine.runtime
        found = yield self.engine.foreign("plugins", "inputs", ask, runtime=runtime)
        return "".join(f" {token}" for token in found)

    def _read_alone(
        self, cause: str, inputs: str, *, insist: bool
    ) -> Steps[Outcome | tuple[Document, Loaded]]:
        """Read the source while no `check` or `read` of another thread does."""
        lock, limit = self.reading, self.source.deadline
        alone = functools.partial(lock.acquire, timeout=limit / 2)
        try:
            if not (yield Call(alone, Owner(self.source.label), "load", limit)):
                msg = f"{self.source.label}: another read does not end"
                raise SourceUnavailableError(msg)
        except MidflightError as exc:
            return self._unread(exc)
        try:
            return (yield from self._read(cause, inputs, insist=insist))
        finally:
            lock.release()

    def _unread(self, error: MidflightError) -> Outcome:
        self._token = None
        since = self.source_error[1] if self.source_error else self._system.wall()
        self.source_error = (str(error), since)
        return _failed(error, Reason.SOURCE_UNAVAILABLE, Code.E_SOURCE)

    def _read(
        self, cause: str, inputs: str, *, insist: bool
    ) -> Steps[Outcome | tuple[Document, Loaded]]:
        """Read the source, unless its token says that there is nothing new."""
        token: str | None = None
        unproven, before = self._token, self._token if self._proven else None
        try:
            # A hint is mostly true: where `load` tells its token, that alone will do.
            if self.source.has("hash") and not (cause == "hint" and self._tells):
                token = yield self.source.call("hash")
                token = None if token is None else f"{token}{inputs}"
            if token is not None and token == before and not insist:
                return Unchanged(reason=Reason.SAME_TOKEN)
            self._token = None
            found = yield from loaded_from(self.source)
            told = found[1].token
            told = None if told is None else f"{told}{inputs}"
            self._tells = told is not None
            self._token, self._proven = told or token, bool(told) or token == unproven
            if told is not None and told == before and not insist:
                return Unchanged(reason=Reason.SAME_TOKEN)
        except InvalidConfigurationError as exc:
            self._token, self._proven, self.desired = token, token == unproven, ""
            self._recovered()
            faults = yield from every_fault(self.engine, exc)
            return ends.Rejected(reason=Reason.INVALID, faults=faults, error=exc)
        except MidflightError as exc:
            return self._unread(exc)
        self._recovered()
        return found

    def _known(self, document: Document, *, insist: bool) -> Outcome | None:
        """Return the outcome for a document that needs no plan."""
        snapshot = self.engine.snapshot
        runs = snapshot.generation and document.digest == snapshot.digest
        if runs and not snapshot.degraded:
            return Unchanged(reason=Reason.SAME_DIGEST)
        refused = self.rejected.digest if self.rejected else None
        if document.digest == refused and not insist:
            return Unchanged(reason=Reason.ALREADY_REJECTED)
        return None

    def _recovered(self) -> None:
        """Note that the source is back; what it interrupted is tried again now."""
        if self.source_error:
            again = self.rejected is not None and self.rejected.transient
            self.retry_at = self._system.monotonic() if again else None
            self.source_error = None

    def _carried_out(
        self, plan: Plan, document: Document, loaded: Loaded
    ) -> Steps[Outcome]:
        """Do what a plan says, or hold or refuse it."""
        if plan.verdict is Verdict.REFUSE:
            faults = (Fault(plan.code, plan.reason),)
            return ends.Rejected(reason=Reason.PLAN_REFUSED, plan=plan, faults=faults)
        if plan.verdict is Verdict.HOLD and self.approved != document.digest:
            self.held = plan
            return ends.Held(reason=Reason.AWAITING_APPROVAL, plan=plan)
        old = self.engine.snapshot
        mark = (self.source.label, loaded.version, self._system.wall())
        snapshot = Snapshot(document, old.generation + 1, *mark, loaded=loaded)
        yield from self._tell("on_apply", plan=plan, document=document)
        told = (snapshot, loaded.positions, self._system.monotonic)
        transaction = Transaction(self.engine, plan, *told)
        outcome = yield from transaction.run()
        if plan.fallback and isinstance(outcome, ends.Rejected | ends.RolledBack):
            _log.warning("%s: %s instead", outcome.reason, plan.fallback.reason)
            otherwise = Transaction(self.engine, plan.fallback, *told)
            outcome = yield from otherwise.run()
        if isinstance(outcome, ends.Applied) and not old.generation:
            return attrs.evolve(outcome, reason=Reason.STARTED)
        if isinstance(outcome, ends.Applied) and old.degraded:
            return attrs.evolve(outcome, reason=Reason.REPAIRED)
        return outcome

    # -- noting and telling ------------------------------------------------------

    def _kept(self) -> tuple[object, ...]:
        down = tuple(layer.error for layer in self.layers)
        return self.rejected, self.held, self.source_error, down

    def _note(self, outcome: Outcome) -> None:
        """Keep what the outcome means for the status."""
        if outcome.ok:
            self.rejected = self.held = self.retry_at = None
            self.approved = ""
        elif isinstance(outcome, ends.Held):
            self.rejected = self.retry_at = None
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
            self.retry_at = None
        elif self.retry_at is None or self.retry_at <= now:
            longest = min(self._backoff, 2.0**self._tries)
            self._tries = min(self._tries + 1, 10)
            self.retry_at = now + longest * self._system.random()

    def _tell(self, hook: str, **arguments: Any) -> Steps[None]:
        """Call each observer by itself; none can hurt another."""
        for call in self.engine.each(hook, **arguments):
            try:
                yield attrs.evolve(call, limit=_OBSERVER_LIMIT)
            except MidflightError as exc:
                _log.warning("%s", exc)


def _failed(error: Exception, reason: Reason, code: Code) -> Outcome:
    transient = reason is Reason.SOURCE_UNAVAILABLE or is_transient(error)
    faults = (Fault(code, str(error) or type(error).__name__),)
    return ends.Failed(reason=reason, faults=faults, transient=transient, error=error)
