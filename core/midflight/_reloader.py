"""The level-triggered loop: when to look at the source, and on which thread."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

import attrs

from midflight._attempt import Attempts
from midflight._driver import APPLYING, Call, Driver
from midflight._engine import Engine
from midflight._outcome import Failed, Held, Outcome, Reason
from midflight._plugins import Participant
from midflight._system import System
from midflight._transaction import stop_all
from midflight.errors import MidflightError, StoppedError

_log = logging.getLogger("midflight")


@attrs.define(eq=False)
class _Ticket:
    """Somebody waits for the outcome of an attempt."""

    cause: str
    outcome: Outcome | None = None


@attrs.define(eq=False)
class _Watch:
    """One opened watch; a hint of a watch that is not alive counts for nothing."""

    hint: Callable[[], None]
    alive: bool = True
    manager: AbstractContextManager[object] | None = None

    def notify(self) -> None:
        """Take a hint."""
        if self.alive:
            self.hint()


@attrs.frozen
class Timing:
    """Durations in seconds.

    Args:
        quiet: a burst of hints has ended after so long without one.
        longest: a burst is acted on after so long at the latest.
        sweep: pause between two looks that no hint asked for.
        backoff: longest pause between two tries.
        shutdown: stopping takes so long at the most.
    """

    quiet: float = 0.010
    longest: float = 0.200
    sweep: float = 5.0
    backoff: float = 30.0
    shutdown: float = 10.0


class Reloader:
    """Looks at the source when hinted, asked, due for a retry or a sweep.

    One attempt at a time. A lone hint is served on the thread that brings it; all
    else on a thread of the reloader's own.
    """

    def __init__(
        self,
        engine: Engine,
        source: Participant,
        system: System,
        timing: Timing,
        *,
        watch: bool,
    ) -> None:
        self.attempts = Attempts(engine, source, system, timing.backoff)
        self.changed = threading.Condition()
        self.running = False
        self._engine = engine
        self._driver = Driver(system)
        self._source = source
        self._system = system
        self._timing = timing
        self._watches = watch
        self._watch: _Watch | None = None
        self._busy = False
        self._stopping = False
        self._tickets: list[_Ticket] = []
        self._first_hint: float | None = None
        self._last_hint = float("-inf")
        self._looked_at = system.monotonic()

    @property
    def mode(self) -> str:
        """How changes are found: `watch`, `sweep` or `manual`."""
        if not self._watches:
            return "manual"
        return "watch" if self._watch and self._watch.manager else "sweep"

    # -- asked from outside ------------------------------------------------------

    def start(self) -> Outcome:
        """Start the loop and make the first attempt."""
        self._stopping, self.running = False, True
        self._driver.start()
        ticket = _Ticket("start")
        self._tickets.append(ticket)
        self._system.spawn("midflight", self._loop)
        return self._await(ticket)

    def stop(self) -> None:
        """Stop the modules and the loop, within `Timing.shutdown`."""
        if not self.running:
            return
        now = self._system.monotonic()
        # A step that hangs at this moment gets half of the time; stopping the rest.
        self._driver.hurry(now + self._timing.shutdown / 2)
        with self.changed:
            self._stopping = True
            self.changed.notify_all()
            due = now + self._timing.shutdown
            while self.running and APPLYING.get() is not self._engine:
                left = due - self._system.monotonic()
                if left <= 0:
                    _log.error("shutdown took more than %g s", self._timing.shutdown)
                    self.running = False
                    break
                self._system.wait(self.changed, left)
        self._driver.close()

    def request(self, cause: str) -> Outcome:
        """Ask for an attempt and wait for its outcome.

        Called back from inside an attempt, ask and do not wait.
        """
        if APPLYING.get() is self._engine:
            self.hint()
            return Held(reason=Reason.APPLY_IN_PROGRESS, cause=cause)
        ticket = _Ticket(cause)
        with self.changed:
            if not self.running or self._stopping:
                msg = "the runtime is not running"
                raise StoppedError(msg)
            self._tickets.append(ticket)
            self.changed.notify_all()
        return self._await(ticket)

    def _await(self, ticket: _Ticket) -> Outcome:
        with self.changed:
            while ticket.outcome is None:
                self._system.wait(self.changed, None)
            return ticket.outcome

    def hint(self) -> None:
        """Note that the source may have changed; serve it here if nobody else does."""
        with self.changed:
            now = self._system.monotonic()
            lone = now - self._last_hint >= self._timing.quiet
            self._last_hint = now
            if self._first_hint is None:
                self._first_hint = now
            free = self.running and not (self._busy or self._stopping)
            if not (lone and free and _may_apply_here()):
                self.changed.notify_all()
                return
            self._begin()
        self._driver.run(self._pass("hint", []), self._lost_watcher, self._engine)

    # -- the loop ----------------------------------------------------------------

    def _begin(self) -> None:
        self._busy, self._first_hint = True, None

    def _loop(self) -> None:
        """Serve causes until stopped, or until a fresh thread takes this role over."""
        with self.changed:
            self._busy = True
        if not self._driver.run(self._opened(), self._serve, self._engine):
            return
        self._serve()

    def _serve(self) -> None:
        while True:
            with self.changed:
                cause = self._next_cause()
                tickets, self._tickets = self._tickets, []
                self._begin()
            steps = self._closed(tickets) if cause == "stop" else self._pass(cause, tickets)
            if not self._driver.run(steps, self._serve, self._engine):
                return
            if not self.running:
                return

    def _next_cause(self) -> str:
        """Wait, with the condition held, until there is something to do."""
        while True:
            if self._busy:
                self._system.wait(self.changed, None)
                continue
            if self._stopping:
                return "stop"
            if self._tickets:
                return self._tickets[0].cause
            due, cause = self._next_due()
            left = due - self._system.monotonic()
            if left <= 0:
                return cause
            self._system.wait(self.changed, None if left == float("inf") else left)

    def _next_due(self) -> tuple[float, str]:
        """Return when to look next without being asked, and why."""
        never = float("inf")
        hint = never
        if self._first_hint is not None:
            hint = min(
                self._last_hint + self._timing.quiet,
                self._first_hint + self._timing.longest,
            )
        look = never, "sweep"
        if self._watches and self.attempts.retry_at is not None:
            look = self.attempts.retry_at, "retry"
        elif self._watches:
            look = self._looked_at + self._timing.sweep, "sweep"
        return min((hint, "hint"), look)

    def _pass(
        self, cause: str, tickets: list[_Ticket]
    ) -> Generator[Call, Any, None]:
        """Make one attempt, whatever happens answer the tickets, and be free again."""
        outcome: Outcome = Failed(reason=Reason.PLUGIN_FAILED, cause=cause)
        try:
            if self._watch is None and cause in {"sweep", "rearm"}:
                yield from self._open_watch()
            outcome = yield from self.attempts.make(cause)
        except Exception as exc:  # a fault of ours must not end the loop
            _log.exception("attempt failed")
            outcome = Failed(reason=Reason.PLUGIN_FAILED, cause=cause, error=exc)
        finally:
            self._answer(tickets, outcome)

    def _answer(self, tickets: list[_Ticket], outcome: Outcome) -> None:
        with self.changed:
            for ticket in tickets:
                ticket.outcome = outcome
            self._busy = False
            self._looked_at = self._system.monotonic()
            self.changed.notify_all()

    # -- watching ----------------------------------------------------------------

    def _opened(self) -> Generator[Call, Any, None]:
        """Watch before the first look, so that no change falls between."""
        try:
            yield from self._open_watch()
        finally:
            with self.changed:
                self._busy = False

    def _open_watch(self) -> Generator[Call, Any, None]:
        if not (self._watches and self._source.has("watch")):
            return
        watch = _Watch(self.hint)
        limit = self._source.deadline
        runtime = self._engine.runtime
        try:
            manager = yield self._source.call(
                "watch", notify=watch.notify, runtime=runtime
            )
            if manager is not None:
                yield Call(manager.__enter__, self._source, "watch", limit)
                watch.manager = manager
        except MidflightError as exc:
            watch.alive = False
            _log.warning("%s; changes are found by sweep only", exc)
            return
        self._watch = watch

    def _lost_watcher(self) -> None:
        """Replace a watch whose thread hangs in a module, so that it brings no hint."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.alive = False
        with self.changed:
            self._looked_at = float("-inf")
            self.changed.notify_all()

    def _closed(self, tickets: list[_Ticket]) -> Generator[Call, Any, None]:
        """End the watch and every module."""
        due = self._system.monotonic() + self._timing.shutdown * 0.8
        self._driver.hurry(due)
        watch, self._watch = self._watch, None
        try:
            yield from stop_all(
                self._engine, lambda: max(0.05, (due - self._system.monotonic()) / 2)
            )
            if watch is not None:
                watch.alive = False
                leave = watch.manager.__exit__ if watch.manager else None
                if leave is not None:
                    call = Call(
                        lambda: leave(None, None, None), self._source, "watch", 1.0
                    )
                    yield call
        except MidflightError as exc:
            _log.warning("%s", exc)
        finally:
            self.running = False
            stopped = Failed(reason=Reason.STOPPED)
            self._answer([*tickets, *self._tickets], stopped)


def _may_apply_here() -> bool:
    """Tell whether a hint's thread may run a change: not a loop's, not the main one."""
    if threading.current_thread() is threading.main_thread():
        return False
    if APPLYING.get() is not None:
        return False
    asyncio: Any = sys.modules.get("asyncio")
    return asyncio is None or asyncio._get_running_loop() is None  # noqa: SLF001  # the only test that does not raise
