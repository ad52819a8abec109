"""One change of the running modules: all of it, or none."""

from __future__ import annotations

import os
import traceback
import types
from collections.abc import Collection, Iterable
from typing import Any

import attrs

from midflight import _outcome as ends
from midflight import errors
from midflight._ahead import Ahead, begin
from midflight._change import dependents
from midflight._document import Document
from midflight._driver import Call, Steps, quietly
from midflight._engine import Engine, Running, Snapshot, Typed, show
from midflight._modules import UnhealthyError, begun, preparing
from midflight._outcome import Outcome, Reason
from midflight._plan import Plan, Reconfigure, Step, Stop
from midflight._system import System, log
from midflight.errors import Code, Fault, InvalidConfigurationError, MidflightError

_REASONS = {
    errors.StepTimeoutError: Reason.STEP_TIMEOUT,
    UnhealthyError: Reason.PROBE_FAILED,
}


@attrs.define(eq=False, repr=False)
class _Work:
    """What happens to one module in this transaction."""

    step: Step
    before: Running | None
    after: Running | None
    ahead: Ahead | None = None
    prepared: Any = None
    holds: bool = False  # whether `prepared` still waits for its commit
    stopped: bool = False  # whether the old object was stopped
    touched: bool = False  # whether the commit of the new one was begun

    @property
    def in_place(self) -> bool:
        return isinstance(self.step, Reconfigure)

    @property
    def stops_first(self) -> bool:
        """Whether the old object goes before the new one comes."""
        if self.before is None or self.in_place:
            return False
        # Nothing of a degraded one is left that could go on beside the new.
        return not self.before.kind.overlap or self.before.state != "running"


@attrs.define(eq=False, repr=False)
class Transaction:
    """Resolve, prepare all, commit each, exchange the snapshot; or undo in reverse."""

    _engine: Engine
    _plan: Plan
    _new: Snapshot
    _positions: errors.Positions | None
    _system: System
    _old: Snapshot = attrs.field(init=False)
    _at: Running = attrs.field(init=False)  # the module that is worked on
    _took: dict[str, float] = attrs.field(factory=dict)
    _works: list[_Work] = attrs.field(factory=list)
    _warnings: list[str] = attrs.field(factory=list)

    def run(self) -> Steps[Outcome]:
        """Carry the plan out; the result says how it ended."""
        self._engine.wanted = self._new.document
        try:
            outcome = yield from self._run()
        finally:
            self._engine.wanted = None
        # Views that were bound while the change was under way; mostly there are none.
        try:
            in_force = self._engine.snapshot.document
            show((yield from self._engine.views_of(in_force, self._positions)))
        except InvalidConfigurationError as exc:
            log.warning("live settings do not fit what is in force: %s", exc)
        return outcome

    def _run(self) -> Steps[Outcome]:
        self._old = self._engine.snapshot
        self._engine.working = self._old.running.copy()
        document = self._new.document
        names = [step.module for step in self._plan.steps if not isinstance(step, Stop)]
        try:
            typed = yield from self._engine.resolve(document, names, self._positions)
            views = yield from self._engine.views_of(document, self._positions)
            for step in self._plan.steps:
                self._works.append((yield from self._work(step, typed)))
        except InvalidConfigurationError as exc:
            return self._end(ends.Rejected, Reason.INVALID, exc.faults, exc)
        try:
            yield from self._prepare()
        except MidflightError as exc:
            yield from self._discard()
            return self._end(
                ends.Rejected,
                Reason.PREPARE_REFUSED,
                self._faults(exc, Code.E_PREPARE),
                exc,
                transient=errors.is_transient(exc),
            )
        try:
            yield from self._commit()
        except Exception as exc:  # noqa: BLE001  # what a module answered may be odd
            return (
                yield from self._undo(
                    exc
                    if isinstance(exc, MidflightError)
                    else self._at.participant.failed("commit", exc)
                )
            )
        # The one store by which readers see the new generation.
        self._engine.snapshot = attrs.evolve(
            self._new, running=types.MappingProxyType(self._engine.working)
        )
        show(views)
        yield from self._retire()
        return self._end(ends.Applied, Reason.CHANGED)

    def _work(self, step: Step, typed: Typed) -> Steps[_Work]:
        before, name = self._old.running.get(step.module), step.module
        if name not in typed:
            return _Work(step, before, None)
        kind, value = typed[name]
        entry = self._new.document.modules[name]
        if isinstance(step, Reconfigure) and before is not None:
            participant = before.participant
        else:
            try:
                participant = yield from self._engine.made(entry, kind)
            except MidflightError as exc:
                fault = Fault(exc.code, str(exc), ("modules", name, "type"))
                placed = fault.under((), self._positions)
                raise InvalidConfigurationError(placed) from exc
        return _Work(
            step, before, Running(entry, value, kind, participant, self._new.generation)
        )

    def _end(
        self,
        kind: type[Outcome],
        reason: Reason,
        faults: Iterable[Fault] = (),
        error: MidflightError | None = None,
        **more: Any,
    ) -> Outcome:
        return kind(
            reason=reason,
            plan=self._plan,
            faults=tuple(faults),
            warnings=tuple(self._warnings),
            took=self._took,
            error=error,
            **more,
        )

    # -- before anything is changed ----------------------------------------------

    def _prepare(self) -> Steps[None]:
        """Prepare each module in its turn; those that may are begun beside others."""
        document = self._new.document
        works = [
            (work, work.after, call)
            for work in self._works
            if work.after is not None and (call := preparing(work.after, document))
        ]
        self._begin_ahead(works)
        failed: MidflightError | None = None
        for work, module, call in works:
            if failed and (work.ahead is None or work.ahead.claim()):
                continue  # it has not begun, and never will
            self._at = self._at if failed else module
            try:
                work.prepared = yield work.ahead.turn() if work.ahead else call
                work.holds = True
            except MidflightError as exc:
                failed = failed or exc
        if failed:
            raise failed

    def _begin_ahead(self, works: list[tuple[_Work, Running, Call]]) -> None:
        touched = {work.step.module for work in self._works if work.after}
        for work, module, call in works:
            waits = not touched.isdisjoint(module.entry.depends_on)
            if module.kind.parallel and not (
                waits or call.owner.stuck == os.getpid()
            ):  # by a hang
                work.ahead = Ahead(call, self._system.monotonic)
        begin([work.ahead for work, *_ in works if work.ahead], self._system)

    def _discard(self) -> Steps[None]:
        """Let go of what was prepared and will not be used, in reverse."""
        for work in reversed(self._works):
            if work.holds and work.after is not None:
                yield from self._quietly(work.after, "discard", prepared=work.prepared)

    def _faults(self, error: MidflightError, code: Code) -> list[Fault]:
        """Return what the failure of a module says, placed at its entry."""
        path: errors.Path = ("modules", self._at.entry.name)
        if isinstance(error, errors.StepTimeoutError | errors.PluginError):
            code = error.code
        faults: Iterable[Fault] = (Fault(code, str(error)),)
        if isinstance(error, InvalidConfigurationError):
            path, faults = (*path, "config"), error.faults
        return [fault.under(path, self._positions) for fault in faults]

    # -- the change itself -------------------------------------------------------

    def _commit(self) -> Steps[None]:
        """Stop what must go first, then change each module in order."""
        clock, document = self._system.monotonic, self._new.document
        for work in _by_age(self._works, self._old.document):
            if work.before is not None:
                work.stopped = True
                self._engine.working.pop(work.step.module, None)
                began = clock()
                yield from self._quietly(work.before, "stop")
                self._took[work.step.module] = clock() - began
        for work in self._works:
            if work.after is not None:
                self._at, work.touched, work.holds = work.after, True, False
                previous = work.before if work.in_place else None
                name, began = work.step.module, clock()
                try:
                    yield from begun(work.after, document, work.prepared, previous)
                finally:
                    self._took[name] = self._took.get(name, 0.0) + clock() - began
                self._engine.working[name] = work.after
            else:
                self._engine.working.pop(work.step.module, None)

    def _retire(self) -> Steps[None]:
        """Stop the old objects that were allowed to live beside the new."""
        for work in reversed(self._works):
            if work.before and not work.stopped and not work.in_place:
                yield from self._quietly(work.before, "stop")

    # -- the way back ------------------------------------------------------------

    def _undo(self, error: MidflightError) -> Steps[Outcome]:
        """Bring every module back, last change first; name those that do not come."""
        # Where it was raised; the exception's own text is made plain in `error`.
        raised = error.cause if isinstance(error, errors.HookError) else error
        frames = "".join(traceback.format_tb(raised.__traceback__)[-2:])
        log.warning("taking the change back: %s\n%s", error, frames)
        yield from self._discard()
        working = self._engine.working
        for work in reversed(self._works):
            if (yield from self._taken_back(work)) and work.before is not None:
                working[work.step.module] = work.before
            else:
                working.pop(work.step.module, None)
        degraded = yield from self._rebuild(self._old.running.keys() - working.keys())
        self._engine.snapshot = attrs.evolve(
            self._old, running=types.MappingProxyType(working), degraded=degraded
        )
        reason = _REASONS.get(type(error), Reason.STEP_FAILED)
        return self._end(
            ends.Failed if degraded else ends.RolledBack,
            Reason.ROLLBACK_INCOMPLETE if degraded else reason,
            self._faults(error, Code.E_STEP),
            error,
            degraded=degraded,
            # What is degraded is worth a try, but a hang leaves a thread at each.
            transient=errors.is_transient(error)
            or (bool(degraded) and not isinstance(error, errors.StepTimeoutError)),
        )

    def _taken_back(self, work: _Work) -> Steps[bool]:
        """Undo what was done to one module; False if its old object is lost."""
        if work.touched and work.after is not None:
            if work.in_place and work.before is not None:
                try:
                    yield from self._again(work.before, work.after)
                except MidflightError as exc:
                    label = work.before.participant.label
                    self._warn(f"{label} must be made anew: {exc}")
                else:
                    return True
            yield from self._quietly(work.after, "stop")
        return not (work.stopped or (work.touched and work.in_place))

    def _again(self, module: Running, previous: Running | None = None) -> Steps[None]:
        """Give a module its old configuration, structured anew.

        It may have changed the object that it was given the first time.
        """
        document, config = self._old.document, module.entry.config
        module.typed = yield from self._engine.structured(config, module.kind.config)
        call = preparing(module, document)
        ready = (yield call) if call else None
        yield from begun(module, document, ready, previous)

    def _rebuild(self, lost: Collection[str]) -> Steps[tuple[str, ...]]:
        """Make old modules anew, with those that need a lost object."""
        document, working = self._old.document, self._engine.working
        more = dependents(document, lost)
        for name in reversed(more):
            yield from self._quietly(working[name], "stop")
        anew = {*lost, *more}
        names = [name for name in document.build_order if name in anew]
        for name in names:
            old = self._old.running[name]
            module = working[name] = attrs.evolve(old, state="running")
            try:
                module.participant = yield from self._engine.made(old.entry, old.kind)
                yield from self._again(module)
            except MidflightError as exc:
                self._warn(f"module `{name}` could not be brought back: {exc}")
                if module.participant is not old.participant:  # that has stopped
                    yield from self._quietly(module, "stop")
                module.state = "degraded"
        return tuple(name for name in names if working[name].state == "degraded")

    # -- calls whose failure changes nothing -------------------------------------

    def _quietly(self, module: Running, hook: str, **arguments: Any) -> Steps[None]:
        if module.state == "running" and module.participant.has(hook):
            yield from quietly(module.participant.call(hook, **arguments), self._warn)

    def _warn(self, text: str) -> None:
        log.warning("%s", text)
        self._warnings.append(text)


def _by_age(works: list[_Work], old: Document) -> list[_Work]:
    """Return those whose old objects stop first, dependents before what they need."""
    found = {work.step.module: work for work in works if work.stops_first}
    return [
        found[name]
        for name in (reversed(old.build_order) if found else ())
        if name in found
    ]
