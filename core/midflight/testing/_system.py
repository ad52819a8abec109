"""A machine whose time and chance a test decides; its threads are real."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import attrs

from midflight._system import System


class _Time:
    """The state behind a `FakeSystem`."""

    def __init__(self, wall: float, chances: Iterable[float]) -> None:
        self._lock = threading.Lock()
        self._read = threading.local()
        self._elapsed = 0.0
        self._wall = wall
        self._chances = list(chances)
        self._waiting: dict[object, tuple[float, threading.Condition]] = {}

    def monotonic(self) -> float:
        self._read.last = self._elapsed
        return self._elapsed

    def wall(self) -> float:
        return self._wall + self._elapsed

    def random(self) -> float:
        with self._lock:
            return self._chances.pop(0) if self._chances else 0.5

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        if timeout is None:
            condition.wait()
            return
        # Who waits has worked `timeout` out from the last look at the clock: what
        # passed since then counts, or an `advance` in between would be lost.
        due = getattr(self._read, "last", self._elapsed) + timeout
        mark = object()
        with self._lock:
            if self._elapsed >= due:
                return
            self._waiting[mark] = due, condition
        try:
            condition.wait()
        finally:
            with self._lock:
                self._waiting.pop(mark, None)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._elapsed += seconds
            due = [
                condition
                for at, condition in self._waiting.values()
                if at <= self._elapsed
            ]
        for condition in due:
            with condition:
                condition.notify_all()


@attrs.frozen(eq=False, init=False)
class FakeSystem(System):
    """A `System` whose clocks stand still until `advance`; its threads are real.

    Pass it as `Runtime(system=…)`: sweeps, backoff and deadlines then cost no time.

    Args:
        wall: seconds since 1970 at the beginning.
        chances: what `random` returns, in turn; after that 0.5.
    """

    _time: _Time = attrs.field(kw_only=True, repr=False)

    def __init__(
        self, *, wall: float = 1_000_000_000.0, chances: Iterable[float] = ()
    ) -> None:
        time = _Time(wall, chances)
        self.__attrs_init__(
            time.monotonic, time.wall, time.random, time.wait, _spawn, time=time
        )

    def advance(self, seconds: float) -> None:
        """Let time pass at once, and wake who has waited for it.

        What wakes then runs on its own thread: wait for its effect with `wait_until`.
        May be called from a hook, to overrun its deadline. Hold no condition that the
        core waits on.
        """
        self._time.advance(seconds)


def _spawn(name: str, target: Callable[[], None]) -> None:
    System().spawn(name, target)


def wait_until(
    condition: Callable[[], object], what: str = "the condition", seconds: float = 5.0
) -> None:
    """Wait in real time until a condition holds.

    Args:
        condition: called until what it returns is true.
        what: names it in the error.
        seconds: how long to wait at the most.

    Raises:
        AssertionError: if it does not hold in time.
    """
    clock, pause = System().monotonic, threading.Event()
    due = clock() + seconds
    while not condition():
        if clock() > due:
            msg = f"waited {seconds:g} s in vain for {what}"
            raise AssertionError(msg)
        pause.wait(0.002)
