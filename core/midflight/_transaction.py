"""One change of the running modules: all of it, or none."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable
from typing import Any

import attrs

from midflight._document import Document
from midflight._driver import Call
from midflight._engine import Engine, Running, Snapshot
from midflight._live import Live
from midflight._outcome import (
    Applied,
    Failed,
    Outcome,
    Reason,
    Rejected,
    RolledBack,
)
from midflight._plan import Plan, Reconfigure, Start, Step, Stop, dependents
from midflight.errors import (
    Code,
    Fault,
    HookError,
    InvalidConfigurationError,
    MidflightError,
    PluginError,
    Positions,
    StepTimeoutError,
    is_transient,
)
from midflight.hookspecs import Health

_log = logging.getLogger("midflight")


class UnhealthyError(MidflightError):
    """A module says, after its commit, that it does not work."""


@attrs.define(eq=False)
class _Work:
    """What happens to one module in this transaction."""

    step: Step
    before: Running | None
    after: Running | None
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
        kind = self.before and self.before.kind
        replaced = kind and not isinstance(self.step, Reconfigure | Start)
        return bool(replaced and not (kind and kind.overlap))


class Transaction:
    """Resolve, prepare all, commit each, exchange the snapshot; or undo in reverse."""

    def __init__(
        self, engine: Engine, plan: Plan, snapshot: Snapshot, positions: Positions | None
    ) -> None:
        self._engine = engine
        self._plan = plan
        self._new = snapshot
        self._positions = positions
        self._old = engine.snapshot
        self._works: list[_Work] = []
        self._views: list[tuple[Live[Any], Any]] = []
        self._warnings: list[str] = []

    def run(self) -> Generator[Call, Any, Outcome]:
        """Carry the plan out; the result says how it ended."""
        self._engine.working = dict(self._old.running)
        try:
            yield from self._resolve()
        except InvalidConfigurationError as exc:
            return self._rejected(exc, Reason.INVALID, exc.faults)
        failed = yield from self._prepare()
        if failed is not None:
            yield from self._discard()
            return self._refused(*failed)
        failed = yield from self._commit()
        if failed is not None:
            return (yield from self._undo(*failed))
        self._exchange()
        yield from self._retire()
        return Applied(
            reason=Reason.CHANGED,
            plan=self._plan,
            warnings=tuple(self._warnings),
        )

    # -- before anything is changed ----------------------------------------------

    def _resolve(self) -> Generator[Call, Any, None]:
        """Make the objects and the typed values, or raise every fault there is."""
        steps = self._plan.steps
        document = self._new.document
        names = [step.module for step in steps if not isinstance(step, Stop)]
        typed = yield from self._engine.resolve(document, names, self._positions)
        views = self._engine.view_values(document, typed, self._positions)
        self._views = yield from views
        for step in steps:
            before = self._old.running.get(step.module)
            after = None
            if step.module in typed:
                kind, value = typed[step.module]
                entry = document.modules[step.module]
                if isinstance(step, Reconfigure) and before is not None:
                    participant = before.participant
                else:
                    participant = self._made(entry, kind)
                after = Running(entry, value, kind, participant, self._new.generation)
            self._works.append(_Work(step, before, after))

    def _made(self, entry: Any, kind: Any) -> Any:
        try:
            return self._engine.make(entry, kind)
        except PluginError as exc:
            fault = Fault(exc.code, str(exc), ("modules", entry.name, "type"))
            fault = fault.under((), self._positions)
            raise InvalidConfigurationError(fault) from exc

    def _prepare(self) -> Generator[Call, Any, tuple[_Work, MidflightError] | None]:
        for work in self._works:
            if work.after is None:
                continue
            try:
                work.prepared = yield from self._prepared(work.after, self._new.document)
                work.holds = True
            except MidflightError as exc:
                return work, exc
        return None

    def _prepared(
        self, module: Running, document: Document
    ) -> Generator[Call, Any, Any]:
        if not module.participant.has("prepare"):
            return None
        return (
            yield module.participant.call(
                "prepare",
                config=module.typed,
                document=document,
                runtime=self._engine.runtime,
            )
        )

    def _discard(self) -> Generator[Call, Any, None]:
        """Let go of what was prepared and will not be used, in reverse."""
        for work in reversed(self._works):
            if work.holds and work.after is not None:
                work.holds = False
                yield from self._quietly(work.after, "discard", prepared=work.prepared)

    def _refused(self, work: _Work, error: MidflightError) -> Outcome:
        """Say whose `prepare` refused the change."""
        name, cause = work.step.module, _cause(error)
        path = ("modules", name, "config")
        faults: Iterable[Fault]
        if isinstance(cause, InvalidConfigurationError):
            faults = cause.faults
        else:
            code = Code.E_TIMEOUT if isinstance(error, StepTimeoutError) else Code.E_PREPARE
            faults = (Fault(code, str(error)),)
        placed = tuple(fault.under(path, self._positions) for fault in faults)
        return self._rejected(error, Reason.PREPARE_REFUSED, placed)

    def _rejected(
        self, error: MidflightError, reason: Reason, faults: tuple[Fault, ...]
    ) -> Outcome:
        return Rejected(
            reason=reason,
            plan=self._plan,
            faults=faults,
            transient=is_transient(error),
            error=error,
            warnings=tuple(self._warnings),
        )

    # -- the change itself -------------------------------------------------------

    def _commit(self) -> Generator[Call, Any, tuple[_Work, MidflightError] | None]:
        """Stop what must go first, then change each module in order."""
        for work in self._by_age():
            if work.stops_first and work.before is not None:
                work.stopped = True
                self._engine.working.pop(work.step.module, None)
                yield from self._stop(work.before)
        for work in self._works:
            if work.after is None:
                continue
            work.touched = True
            try:
                yield from self._apply(work, work.after)
            except MidflightError as exc:
                return work, exc
        return None

    def _by_age(self) -> list[_Work]:
        """The works whose old objects stop first, dependents before what they need."""
        works = {work.step.module: work for work in self._works if work.stops_first}
        if len(works) < 2:  # noqa: PLR2004  # nothing to order
            return list(works.values())
        order = reversed(self._old.document.build_order)
        return [works[name] for name in order if name in works]

    def _apply(self, work: _Work, module: Running) -> Generator[Call, Any, None]:
        arguments = {
            "config": module.typed,
            "prepared": work.prepared,
            "document": self._new.document,
            "runtime": self._engine.runtime,
        }
        work.holds = False
        if work.in_place and work.before is not None:
            arguments["previous"] = work.before.typed
            yield module.participant.call("reconfigure", **arguments)
        else:
            yield module.participant.call("start", **arguments)
        yield from self._probe(module)
        self._engine.working[work.step.module] = module

    def _probe(self, module: Running) -> Generator[Call, Any, None]:
        if module.participant.has("probe"):
            health = yield module.participant.call("probe", runtime=self._engine.runtime)
            if isinstance(health, Health) and not health.healthy:
                msg = f"{module.participant.label} is not healthy: {health.detail}"
                raise UnhealthyError(msg)

    def _exchange(self) -> None:
        """Let readers see the new generation, by one store."""
        self._engine.snapshot = attrs.evolve(self._new, running=self._engine.working)
        for view, value in self._views:
            view.current = value

    def _retire(self) -> Generator[Call, Any, None]:
        """Stop the old objects that were allowed to live beside the new."""
        for work in reversed(self._works):
            if work.before and not work.stopped and not work.in_place:
                yield from self._stop(work.before)

    # -- the way back ------------------------------------------------------------

    def _undo(self, failed: _Work, error: MidflightError) -> Generator[Call, Any, Outcome]:
        """Bring every module back, last change first; name those that do not come."""
        _log.warning("taking the change back: %s", error)
        yield from self._discard()
        rebuild: set[str] = set()
        for work in reversed(self._works):
            name = work.step.module
            if work.touched and work.after is not None:
                if not work.in_place:
                    yield from self._stop(work.after)
                elif not (yield from self._taken_back(work)):
                    yield from self._stop(work.after)
                    rebuild.add(name)
            if work.stopped:
                rebuild.add(name)
            elif work.before is not None and name not in rebuild:
                self._engine.working[name] = work.before
            else:
                self._engine.working.pop(name, None)
        lost = {work.step.module for work in self._works if work.in_place} & rebuild
        degraded = yield from self._rebuild(rebuild, lost)
        self._engine.snapshot = attrs.evolve(self._old, running=self._engine.working)
        return self._undone(failed, error, degraded)

    def _taken_back(self, work: _Work) -> Generator[Call, Any, bool]:
        """Reconfigure one module to what it had; False if it does not take it."""
        before, after = work.before, work.after
        assert before is not None
        assert after is not None
        try:
            document = self._old.document
            prepared = yield from self._prepared(before, document)
            yield before.participant.call(
                "reconfigure",
                config=before.typed,
                previous=after.typed,
                prepared=prepared,
                document=document,
                runtime=self._engine.runtime,
            )
            yield from self._probe(before)
        except MidflightError as exc:
            self._warn(f"{before.participant.label} must be made anew: {exc}")
            return False
        return True

    def _rebuild(self, names: set[str], lost: set[str]) -> Generator[Call, Any, list[str]]:
        """Make old modules anew, with those that need a lost object."""
        document = self._old.document
        more = [name for name in dependents(document, lost) if name not in names]
        for name in reversed(more):
            yield from self._stop(self._engine.working[name])
        degraded = []
        order = [n for n in document.build_order if n in names or n in more]
        for name in order if names else ():
            old = self._old.running[name]
            module = attrs.evolve(old, state="running")
            self._engine.working[name] = module
            try:
                module.participant = self._engine.make(old.entry, old.kind)
                prepared = yield from self._prepared(module, document)
                yield module.participant.call(
                    "start",
                    config=module.typed,
                    prepared=prepared,
                    document=document,
                    runtime=self._engine.runtime,
                )
                yield from self._probe(module)
            except MidflightError as exc:
                self._warn(f"{module.participant.label} could not be brought back: {exc}")
                yield from self._stop(module)
                module.state = "degraded"
                degraded.append(name)
        return degraded

    def _undone(
        self, failed: _Work, error: MidflightError, degraded: list[str]
    ) -> Outcome:
        name = failed.step.module
        timeout = isinstance(error, StepTimeoutError)
        code = Code.E_TIMEOUT if timeout else Code.E_STEP
        fault = Fault(code, str(error), ("modules", name), hint="see the log")
        reason = Reason.STEP_TIMEOUT if timeout else Reason.STEP_FAILED
        if isinstance(error, UnhealthyError):
            reason = Reason.PROBE_FAILED
        ending = Failed if degraded else RolledBack
        return ending(
            reason=Reason.ROLLBACK_INCOMPLETE if degraded else reason,
            plan=self._plan,
            faults=(fault.under((), self._positions),),
            degraded=tuple(degraded),
            warnings=tuple(self._warnings),
            transient=not timeout
            and not isinstance(_cause(error), InvalidConfigurationError),
            error=error,
        )

    # -- calls whose failure changes nothing -------------------------------------

    def _stop(self, module: Running) -> Generator[Call, Any, None]:
        if module.state == "running":
            yield from self._quietly(module, "stop")

    def _quietly(
        self, module: Running, hook: str, **arguments: Any
    ) -> Generator[Call, Any, None]:
        if not module.participant.has(hook):
            return
        try:
            yield module.participant.call(
                hook, runtime=self._engine.runtime, **arguments
            )
        except MidflightError as exc:
            self._warn(str(exc))

    def _warn(self, text: str) -> None:
        _log.warning("%s", text)
        self._warnings.append(text)


def _cause(error: MidflightError) -> BaseException:
    return error.cause if isinstance(error, HookError) else error


def stop_all(engine: Engine, limit: Any) -> Generator[Call, Any, list[str]]:
    """Stop every running module, dependents first; return what went wrong.

    Args:
        engine: whose modules to stop.
        limit: returns how many seconds the next `stop` may take.
    """
    warnings = []
    snapshot = engine.snapshot
    for name in reversed(snapshot.document.build_order):
        module = snapshot.running.get(name)
        if module is None or module.state != "running":
            continue
        if not module.participant.has("stop"):
            continue
        try:
            yield module.participant.call("stop", limit(), runtime=engine.runtime)
        except MidflightError as exc:
            _log.warning("%s", exc)
            warnings.append(str(exc))
    return warnings
