"""The level-triggered loop: when to look at the source, and on which thread."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import weakref

import attrs

from midflight._attempt import Attempts
from midflight._driver import (
    NEVER,
    Call,
    Driver,
    Owner,
    Steps,
    drive_here,
    is_applying,
    may_apply_here,
    quietly,
)
from midflight._engine import Engine
from midflight._modules import stop_all
from midflight._outcome import Failed, Held, Outcome, Reason
from midflight._system import System, log
from midflight.errors import MidflightError, StoppedError

QUIET = 0.010  # s without a hint that end a burst
LONGEST = 0.200  # s after which a burst is acted on all the same


@attrs.define(eq=False, repr=False)
class _Ticket:
    """Somebody waits for the outcome of an attempt."""

    cause: str
    actor: str = ""
    outcome: Outcome | None = None


@attrs.define(eq=False, repr=False, kw_only=True)
class Reloader:
    """Looks at the source when hinted, asked, due for a retry or a sweep.

    One attempt at a time. A lone hint is served on the thread that brings it; all
    else on a thread of the reloader's own.

    Args:
        attempts: what one look does.
        engine: whose modules it changes.
        driver: makes the calls of a look.
        system: time, chance and threads.
        watches: whether to look without being asked.
        sweep: seconds between two looks that no hint asked for.
        shutdown: seconds that stopping may take.
    """

    attempts: Attempts
    _engine: Engine
    _driver: Driver
    _system: System
    watches: bool
    _sweep: float
    _shutdown: float
    changed: threading.Condition = attrs.field(factory=threading.Condition)
    running: bool = False
    # What ends them; `None` before they began.
    _lifespans: list[Call | None] | None = None
    _watch: object = None  # that whose hints count
    _watch_end: Call | None = None  # leaves it; `None` if there is nothing to leave
    _watch_error: str = ""
    _watching: Owner = attrs.field(factory=lambda: Owner("the source's watch"))
    _busy: bool = False
    stopping: bool = False
    _closed: bool = False  # it has stopped, whether or not in time
    _tickets: list[_Ticket] = attrs.field(factory=list)
    _first_hint: float = NEVER  # of those that are not served yet
    _last_hint: float = -NEVER
    _looked_at: float = -NEVER
    _stop_due: float = NEVER

    @property
    def phase(self) -> str:
        """Whether it is `starting`, `running` or `stopped`."""
        idle = "stopped" if self.stopping else "starting"
        return "running" if self.running and self._engine.snapshot.generation else idle

    @property
    def mode(self) -> str:
        """How changes are found: `watch`, `sweep` or `manual`."""
        return ("watch" if self._watch_end else "sweep") if self.watches else "manual"

    # -- asked from outside ------------------------------------------------------

    def start(self) -> Outcome:
        """Start the loop and make the first attempt.

        Raises:
            MidflightError: on the event loop that hooks run on.
            StoppedError: if it was started before.
        """
        self._leave_loop_free("start")
        with self.changed:
            if self.running or self.stopping:
                msg = "a runtime starts once; make another"
                raise StoppedError(msg)
            self.running, self._looked_at = True, self._system.monotonic()
            ticket = _Ticket("start")
            self._tickets.append(ticket)
        os.register_at_fork(after_in_child=functools.partial(_rearm, weakref.ref(self)))
        self._spawn()
        return self._outcome(ticket)

    def _spawn(self) -> None:
        self._system.spawn("midflight", self._serve)  # ends the other, if it can begin
        self._system.spawn("midflight-monitor", self._driver.monitor)

    def rearm_in_child(self) -> None:
        """Go on in a forked child, where no thread but the one that forked lives."""
        if self.running:
            # Forked by a hook, it is a module's own worker, and follows nothing.
            self.running = not is_applying(self._engine)
            self.stopping = self.stopping or not self.running
            self.changed, self._driver = threading.Condition(), Driver(self._system)
            self.attempts.reading = threading.Lock()
            # Locks of plugins, too: who held one is no more; nor is who ran a loop.
            self._engine.hooks.runtime.shared.clear()
            self._engine.hooks.runtime.loop = None
            self._tickets, self._busy = [], False
            self._watch = self._watch_end = self._lifespans = None
            self._looked_at = -NEVER
            if self.running:
                self._spawn()

    def stop(self) -> None:
        """Stop the modules and the loop, within `shutdown` seconds."""
        now = self._system.monotonic()
        due = now + self._shutdown
        with self.changed:
            self.stopping, self._stop_due = True, due
            # A step that hangs now gets half of the time; all that is left, the rest.
            self._driver.hurry(now + self._shutdown / 2)
            self.changed.notify_all()
            while self.running and not is_applying(self._engine):
                left = due - self._system.monotonic()
                if left <= 0:
                    log.error("shutdown took more than %g s", self._shutdown)
                    self.running = False  # modules are stopped all the same
                    self.changed.notify_all()
                else:
                    self._system.wait(self.changed, left)

    def request(self, cause: str, actor: str = "") -> Outcome:
        """Ask for an attempt and wait for its outcome.

        Called back from inside an attempt, ask and do not wait.

        Raises:
            MidflightError: on the event loop that hooks run on.
            StoppedError: if it is not running.
        """
        self._leave_loop_free(cause)
        ticket = _Ticket(cause, actor)
        with self.changed:
            if not self.running or self.stopping:
                msg = "the runtime is not running; start it, or use it in `with`"
                raise StoppedError(msg)
            self._tickets.append(ticket)
            self.changed.notify_all()
        if is_applying(self._engine):
            return Held(reason=Reason.APPLY_IN_PROGRESS, cause=cause)
        return self._outcome(ticket)

    def _outcome(self, ticket: _Ticket) -> Outcome:
        with self.changed:
            while self.running and not (  # what waits when it stops is never begun
                ticket.outcome or (self.stopping and ticket in self._tickets)
            ):
                self._system.wait(self.changed, None)
            return ticket.outcome or Failed(reason=Reason.STOPPED, cause=ticket.cause)

    def _leave_loop_free(self, cause: str) -> None:
        if self._engine.hooks.runtime.applying and not is_applying(self._engine):
            msg = f"`{cause}` would block its event loop; use asyncio.to_thread"
            raise MidflightError(msg)

    def hint(self, *, serve: bool = True) -> None:
        """Note that the source may have changed; act on it here if nobody else does.

        Args:
            serve: a change may run on this thread.
        """
        with self.changed:
            now = self._system.monotonic()
            lone = now - self._last_hint >= QUIET and self._first_hint == NEVER
            self._last_hint, self._first_hint = now, min(self._first_hint, now)
            busy = self._busy or self.stopping or not self.running
            if busy or not (serve and lone and may_apply_here()):
                self.changed.notify_all()  # only now: who wakes slows this thread
                return
            self._busy, self._first_hint = True, NEVER
        self._driver.run(self._pass("hint", []), self._lost_watcher, self._engine)

    # -- the loop ----------------------------------------------------------------

    def _serve(self) -> None:
        """Serve causes until stopped, or until a fresh thread takes this role over."""
        while not self._closed:
            with self.changed:
                cause = self._next_cause()
                tickets, self._tickets = (
                    ([], self._tickets) if cause == "stop" else (self._tickets, [])
                )
                self._busy, self._first_hint = True, NEVER
            if not self._driver.run(
                self._pass(cause, tickets), self._serve, self._engine
            ):
                return

    def _next_cause(self) -> str:
        """Wait, with the condition held, until there is something to do."""
        while True:
            due, cause = self._next_due()
            left = NEVER if self._busy else due - self._system.monotonic()
            if left <= 0:
                return cause
            self._system.wait(self.changed, None if left == NEVER else left)

    def _next_due(self) -> tuple[float, str]:
        """Return when to do something next, and why."""
        if self.stopping:
            return -NEVER, "stop"
        if self._tickets:
            return -NEVER, self._tickets[0].cause
        burst = min(self._last_hint + QUIET, self._first_hint + LONGEST)
        dues = [(max(self._first_hint, burst), "hint")]  # never, if none has come
        if self.watches:
            dues += (
                (self._looked_at + self._sweep, "sweep"),
                (self.attempts.retry_at, "retry"),
            )
        return min(dues)

    def _pass(self, cause: str, tickets: list[_Ticket]) -> Steps[None]:
        """Make one attempt, whatever happens answer the tickets, and be free again."""
        outcome: Outcome = Failed(reason=Reason.STOPPED, cause=cause)
        try:
            if cause == "stop":
                yield from self._close()
            else:
                if self._lifespans is None:
                    yield from self._open_lifespans()
                if self._watch is None and cause in {"start", "sweep", "retry"}:
                    # Watch before the look, so that no change falls between.
                    yield from self._open_watch()
                outcome = yield from self.attempts.make(
                    cause, tickets[0].actor if tickets else ""
                )
        except Exception:  # noqa: BLE001  # the loop outlives any fault of ours
            log.exception("the reloader failed in an unforeseen way, and goes on")
        finally:
            with self.changed:
                self._closed = cause == "stop"
                self.running = self.running and not self._closed
                for ticket in tickets:
                    ticket.outcome = outcome
                self._busy, self._looked_at = False, self._system.monotonic()
                self.changed.notify_all()

    def _close(self) -> Steps[None]:
        """End the modules, the watch, and what served them."""
        due = self._stop_due - self._shutdown * 0.1
        self._driver.hurry(due)
        yield from stop_all(
            self._engine, lambda: max(0.05, (due - self._system.monotonic()) * 0.75)
        )
        self._watch = None
        source = self.attempts.source
        end = source.call("stop") if source.has("stop") else None
        for call in filter(
            None, (self._watch_end, end, *reversed(self._lifespans or ()))
        ):
            yield from quietly(call)
        self._driver.close()

    def _open_lifespans(self) -> Steps[None]:
        """Let each plugin begin what it keeps going until the runtime stops."""
        self._lifespans = ends = []
        for call in self._engine.each("lifespan"):
            try:
                ends.append((yield from _entered(call)))
            except MidflightError as exc:
                log.warning("%s", exc)

    # -- watching ----------------------------------------------------------------

    def _open_watch(self) -> Steps[None]:
        source = self.attempts.source
        if not (self.watches and source.has("watch")):
            return
        watch = self._watch = object()

        def notify() -> None:
            if self._watch is watch:
                self.hint()

        # An owner of its own: a watch that hangs must not keep `load` away.
        call = attrs.evolve(source.call("watch", notify=notify), owner=self._watching)
        try:
            end = yield from _entered(call)
            self._watch_end = end and attrs.evolve(end, limit=1.0)
            self._watch_error = ""
        except MidflightError as exc:
            self._watch = None
            if str(exc) != self._watch_error:
                log.warning("%s; changes are found by sweep only", exc)
            self._watch_error = str(exc)

    def _lost_watcher(self) -> None:
        """Let go of a watch whose thread hangs; the next look opens another."""
        end, self._watch, self._watch_end = self._watch_end, None, None
        if end is not None:
            self._system.spawn("midflight-unwatch", lambda: drive_here(quietly(end)))
        with self.changed:
            self._looked_at = -NEVER
            self.changed.notify_all()


def _entered(call: Call) -> Steps[Call | None]:
    """Enter the context manager that a call gives, if any; return what leaves it."""
    manager = yield call
    if manager is None:
        return None
    stack = contextlib.ExitStack()

    def enter() -> contextlib.ExitStack:
        stack.enter_context(manager)  # what is none raises here, as its plugin's fault
        return stack

    yield attrs.evolve(call, function=enter, late=contextlib.ExitStack.close)
    return attrs.evolve(call, function=stack.close)


def _rearm(forked: weakref.ref[Reloader]) -> None:
    if alive := forked():
        alive.rearm_in_child()
