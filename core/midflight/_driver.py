"""Runs a change step by step, and carries on elsewhere when a step hangs.

A change is a generator that yields each call of foreign code. The thread that applies
makes the calls, without any hand-off. When one overruns its deadline, the monitor
takes the generator away from that thread and lets a fresh one go on with a
`StepTimeoutError`; what the lost thread brings later is dropped.
"""

from __future__ import annotations

import contextvars
import functools
import os
import sys
import threading
from collections.abc import Callable, Collection, Generator
from typing import Any, TypeVar, cast

import attrs

from midflight._system import System, log
from midflight.errors import (
    HookError,
    InvalidConfigurationError,
    MidflightError,
    StepTimeoutError,
    TransientError,
    masked,
)

NEVER = float("inf")
_LEAST = 0.05  # s that a step gets, however short the time to stop has become


@attrs.define(eq=False)
class Owner:
    """Whose code is called; `stuck` while an abandoned call has not come back.

    It holds the id of the process that waits: a forked child does not.
    """

    label: str
    stuck: int = 0
    hides: Callable[[], Collection[str]] = tuple  # what its errors must not show
    owed: Callable[[], Any] | None = None  # a `stop` that had to wait for that

    def failed(self, hook: str, cause: BaseException) -> HookError:
        """Return the error for what its code raised, without what it must not show."""
        return HookError(self.label, hook, cause, self.hides())


@attrs.define(eq=False, repr=False)  # not frozen: thousands are made, for one use
class Call:
    """One call of foreign code: what, whose, under which hook's name, how long."""

    function: Callable[[], Any]
    owner: Owner
    hook: str
    limit: float
    late: Callable[[Any], Any] | None = None  # takes a result nobody waits for any more
    since: float = NEVER  # when it was begun, if before its turn


T = TypeVar("T")
Steps = Generator[Call, Any, T]
"""What yields calls of foreign code, is sent their results, and returns a `T`."""
_Answer = tuple[Any, MidflightError | None]  # a result, or what is raised instead


@attrs.define(eq=False, repr=False)
class _Run:
    """Steps on one thread; `active` until their end, or until another takes over."""

    steps: Steps[Any]
    after: Callable[[], None]
    mark: object
    call: Call | None = None
    due: float = 0.0
    active: bool = True


_RUN: contextvars.ContextVar[_Run | None] = contextvars.ContextVar(
    "midflight_run", default=None
)


def is_applying(mark: object = None) -> bool:
    """Tell whether this thread or task is inside a run, of `mark` if it is given."""
    run = _RUN.get()
    return run is not None and run.active and (mark is None or run.mark is mark)


def _next(steps: Steps[Any], result: Any, error: MidflightError | None) -> Call:
    """Return the call that comes after the answer to the one before."""
    return steps.throw(error) if error else steps.send(result)


def _answered(call: Call, caught: tuple[type[BaseException], ...]) -> _Answer:
    """Make a call; what it raises is ours, or else its owner's and is `caught`."""
    try:
        return call.function(), None
    except MidflightError as exc:
        return None, _hidden(exc, call)
    except caught as exc:
        return None, call.owner.failed(call.hook, exc)


def _hidden(error: MidflightError, call: Call) -> MidflightError:
    """Return an error of ours as it may be shown, if its owner knows secrets."""
    import traceback

    hides = call.owner.hides()
    # With its notes, and its causes.
    shown = "".join(traceback.format_exception(error)) if hides else ""
    if masked(shown, hides) == shown:
        return error
    if isinstance(error, InvalidConfigurationError):
        return InvalidConfigurationError(
            [fault.masked(hides) for fault in error.faults],
            error.partial,
            error.positions,
        )
    return call.owner.failed(call.hook, error)


def quietly(call: Call, note: Callable[[str], object] = log.warning) -> Steps[Any]:
    """Make a call whose failure is noted and changes nothing: it gives `None`."""
    try:
        return (yield call)
    except MidflightError as exc:
        note(str(exc))


def may_apply_here() -> bool:
    """Tell whether a hint's thread may run a change: not a loop's, not the main one."""
    return not (
        is_applying()
        or running_loop()
        or threading.current_thread() is threading.main_thread()
    )


def running_loop() -> Any:
    """Return the event loop that this thread runs, if any; imports nothing for that."""
    asyncio: Any = sys.modules.get("asyncio")
    return asyncio and asyncio._get_running_loop()  # noqa: SLF001  # does not raise


@attrs.define(eq=False, repr=False)
class Driver:
    """Drives one change at a time; the monitor watches whoever drives."""

    _system: System
    _changed: threading.Condition = attrs.field(factory=threading.Condition)
    _run: _Run | None = None
    _armed: float = NEVER  # when the monitor will look by itself
    _cap: float = NEVER
    _closed: bool = False

    def close(self) -> None:
        """End `monitor`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def hurry(self, due: float) -> None:
        """Let no step last longer than until `due`, on the monotonic clock."""
        with self._changed:
            self._cap = due
            if self._run is not None:
                self._run.due = min(self._run.due, due)
            self._changed.notify_all()

    def run(self, steps: Steps[Any], after: Callable[[], None], mark: object) -> bool:
        """Drive `steps` to their end on this thread.

        Args:
            steps: a generator that yields calls.
            after: run by the thread that ended them, if it is not this one.
            mark: what `is_applying` asks for.

        Returns:
            False if a step overran, and another thread has taken over.
        """
        run = self._run = _Run(steps, after, mark)
        return self._drive(run, (None, None))

    def _drive(self, run: _Run, answer: _Answer) -> bool:
        token = _RUN.set(run)
        try:
            while True:
                call = _next(run.steps, *answer)
                if not self._enter(run, call):
                    answer = (
                        None,
                        TransientError(
                            f"{call.owner.label}: `{call.hook}` was not called,"
                            " since an earlier call has not come back"
                        ),
                    )
                    continue
                answer = _answered(call, (BaseException,))  # a module may even exit
                with self._changed:
                    run.call = None  # nobody abandons it any more
                if not run.active:
                    self._came_late(call, answer[0])
                    return False
        except StopIteration:
            run.active = False
            return True
        finally:
            _RUN.reset(token)

    def _came_late(self, call: Call, result: Any) -> None:
        """Let an abandoned call have no effect, but make the `stop` that waited."""
        owner = call.owner
        log.warning("%s: `%s` came back late", owner.label, call.hook)
        with self._changed:
            owed, owner.owed, owner.stuck = owner.owed, None, 0
        late: Callable[[], Any] | None = (
            functools.partial(call.late, result)
            if call.late is not None and result is not None
            else None
        )
        for clean in filter(None, (late, owed)):
            try:
                clean()
            except BaseException as exc:  # noqa: BLE001  # a module may even exit
                log.warning("%s", owner.failed("clean-up", exc))

    def _enter(self, run: _Run, call: Call) -> bool:
        """Let the monitor watch a call, unless its owner hangs.

        A `stop` of that one is made when it comes back.
        """
        with self._changed:
            if call.owner.stuck == os.getpid():
                if call.hook == "stop":
                    call.owner.owed = call.function
                return False
            run.call = call
            now = self._system.monotonic()
            run.due = now + call.limit
            if self._cap < run.due or call.since < now:
                due = min(self._cap, call.since + call.limit)
                run.due = min(run.due, max(due, now + _LEAST))
            if run.due < self._armed:
                self._armed = run.due
                self._changed.notify_all()
            return True

    def monitor(self) -> None:
        """Abandon each call that overruns its deadline, until closed."""
        with self._changed:
            while not self._closed:
                run, now = self._run, self._system.monotonic()
                if run is not None and run.call is not None:
                    if now >= run.due:
                        self._abandon(run, run.call)
                        continue
                    self._armed = run.due
                elif now >= self._armed:
                    self._armed = NEVER
                # Armed though nothing runs: a change need not wake this thread first.
                left = None if self._armed == NEVER else self._armed - now
                self._system.wait(self._changed, left)

    def _abandon(self, run: _Run, call: Call) -> None:
        """Fence the thread that hangs, and let a fresh one carry on."""
        fresh = _Run(run.steps, run.after, run.mark)
        error = StepTimeoutError(call.owner.label, call.hook, call.limit)

        def carry_on() -> None:
            with self._changed:  # until the other run has ended
                pass
            if self._drive(fresh, (None, error)):
                run.after()

        try:
            self._system.spawn("midflight-apply", carry_on)
        except RuntimeError as exc:  # no thread to be had: look again in a second
            log.warning("%s hangs; no thread takes over: %s", call.owner.label, exc)
            run.due = self._system.monotonic() + 1.0
            return
        call.owner.stuck, run.active, self._run = os.getpid(), False, fresh


def drive_here(steps: Steps[T]) -> T:
    """Drive `steps` on this thread without deadlines, and return their result.

    For questions such as `check` and `plan`, asked by a thread of the user.
    """
    answer: _Answer = (None, None)
    try:
        while True:
            answer = _answered(_next(steps, *answer), (Exception, SystemExit))
    except StopIteration as stop:
        return cast("T", stop.value)
