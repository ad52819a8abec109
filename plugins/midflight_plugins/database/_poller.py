"""The thread that looks at one database: when, over which connection, how often."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import attrs

from midflight.errors import MidflightError
from midflight_plugins.database._lookout import Lookout

POLL, POLL_BESIDE_PUSH = 5.0, 30.0  # s
_SPREAD = 0.2  # of an interval, so that processes do not look all at once
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # s, before a new try
_SETTLED = 12  # intervals without a failure, after which pauses begin anew
_REST = 10  # times what a look took, before the next that nobody planned
_STUCK = 5.0  # s in a hint, after which another thread takes over


def _random() -> float:
    import random

    return random.random()  # noqa: S311  # jitter needs no secret randomness


def _spawn(name: str, target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


def _wait(descriptors: Collection[int], seconds: float) -> None:
    if 0 < seconds < 0.001:  # noqa: PLR2004  # s: `poll` would make it a millisecond
        time.sleep(seconds)
        return
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    poll.poll(min(max(seconds, 0.0), threading.TIMEOUT_MAX) * 1000)


@attrs.frozen(eq=False)
class Machine:
    """What the watching takes from the machine it runs on.

    Args:
        monotonic: seconds of a clock that never goes back.
        random: a uniform number in [0, 1).
        spawn: runs a function on a new daemon thread of that name.
        wait: waits for at most so many seconds until a descriptor is readable.
    """

    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = _random
    spawn: Callable[[str, Callable[[], None]], threading.Thread] = _spawn
    wait: Callable[[Collection[int], float], None] = _wait


class Listener(Protocol):
    """Who hears of what the thread found; see `Hub`."""

    def keys(self) -> tuple[str, ...]:
        """Return the documents to look at."""

    def saw(
        self, poller: Poller, keys: Collection[str], tokens: dict[str, str], at: float
    ) -> None:
        """Take what one look found."""

    def heard(self, poller: Poller, keys: Collection[str]) -> None:
        """Take what was noticed."""

    def lost(self, poller: Poller, reason: str) -> None:
        """Take that the database cannot be looked at."""


class Poller:
    """One thread that looks, with its connection.

    Args:
        listener: hears of what was found, on the thread.
        lookout: how to look.
        poll: seconds between two looks; by default 5, or 30 beside a push.
        machine: time, chance, threads and waiting.
    """

    def __init__(
        self, listener: Listener, lookout: Lookout, poll: float | None, machine: Machine
    ) -> None:
        self._listener, self._lookout, self._machine = listener, lookout, machine
        self._poll = poll
        self.active = True
        self.busy_since: float | None = None
        self._lock = threading.Lock()
        self._pipe: tuple[int, int] | None = _pipe()
        self._planned = self._rest_until = 0.0
        self._looks: list[float] = []
        self._asked = False
        self._failures, self._well_since = 0, machine.monotonic()
        self._well = False
        try:
            self.thread = machine.spawn("midflight-database", self._run)
        except RuntimeError:  # the system has no thread left
            self._close_pipe()
            raise

    @property
    def interval(self) -> float:
        """Seconds between two looks, but for chance."""
        default = POLL_BESIDE_PUSH if self._lookout.pushes else POLL
        return self._poll or default

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Everything that a forked child inherits and must not use."""
        return (*(self._pipe or ()), *self._lookout.descriptors)

    def look_now(self) -> None:
        """Ask for a look; one that comes anyhow will do."""
        self._asked = True
        self._wake()

    def stop(self) -> None:
        """Let the thread end; it disconnects by itself."""
        self.active = False
        self._wake()

    def is_lost(self) -> bool:
        """Tell whether the thread died, or does not come back from a hint."""
        since = self.busy_since
        if since is None or self.thread is threading.current_thread():
            return not self.thread.is_alive()
        return self._machine.monotonic() - since > _STUCK

    def _wake(self) -> None:
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._pipe is not None:
                os.write(self._pipe[1], b"!")

    def _close_pipe(self) -> None:
        with self._lock:
            for descriptor in self._pipe or ():
                os.close(descriptor)
            self._pipe = None

    # -- on the thread -----------------------------------------------------------

    def _run(self) -> None:
        try:
            while self.active:
                try:
                    self._lookout.open()
                    self._serve()
                except Exception as exc:  # noqa: BLE001  # whatever a driver raises
                    self._lookout.close()
                    if self.active:
                        self._listener.lost(self, _reason(exc))
                        self._sleep(self._pause())
        finally:
            self._lookout.close()
            self._close_pipe()

    def _serve(self) -> None:
        """Look at once, then whenever it is time, or something was noticed."""
        self._planned, self._looks = self._machine.monotonic(), []
        while self.active:
            stir = self._lookout.stirred()
            if stir.looks:
                now = self._machine.monotonic()
                self._looks = [now + each for each in stir.looks]
            if stir.keys:
                self._plan_check()
                self._listener.heard(self, stir.keys)
            left = self._due() - self._machine.monotonic()
            if not self.active:
                return
            if left <= 0:
                self._look()  # what came in beside the answer is noticed next
            else:
                self._wait(left, self._lookout.descriptors)

    def _plan_check(self) -> None:
        """Plan a look to follow what was said: it spares the sweeps their queries."""
        soon = min(self.interval, POLL) * self._chance()
        self._planned = min(self._planned, self._machine.monotonic() + soon)

    def _due(self) -> float:
        if self._asked:
            return 0.0
        if not self._looks:
            return self._planned
        return min(self._planned, max(min(self._looks), self._rest_until))

    def _look(self) -> None:
        clock = self._machine.monotonic
        began, self._asked = clock(), False
        self._looks = [each for each in self._looks if each > began]
        keys = self._listener.keys()
        tokens = self._lookout.tokens(keys) if keys else {}
        ended = clock()
        if not self._well:
            self._well, self._well_since = True, ended
        self._rest_until = ended + _REST * (ended - began)
        self._planned = ended + self.interval * self._chance()
        self._listener.saw(self, keys, tokens, began)

    def _chance(self) -> float:
        return 1 - _SPREAD + 2 * _SPREAD * self._machine.random()

    def _pause(self) -> float:
        """Return how long to wait before a new try, with full jitter."""
        base = self._poll or POLL
        age = self._machine.monotonic() - self._well_since
        if self._well and age > _SETTLED * base:
            self._failures = 0
        self._well, self._failures = False, self._failures + 1
        longest = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, 6 * base))
        pause = min(_FIRST_PAUSE, base) * 2.0 ** min(self._failures - 1, 16)
        return self._machine.random() * min(longest, pause)

    def _sleep(self, seconds: float) -> None:
        due = self._machine.monotonic() + seconds
        while self.active and (left := due - self._machine.monotonic()) > 0:
            self._wait(left, ())

    def _wait(self, seconds: float, descriptors: Iterable[int]) -> None:
        assert self._pipe is not None
        self._machine.wait((self._pipe[0], *descriptors), seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._pipe[0], 4096)


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _reason(error: Exception) -> str:
    # What a driver says may hold the address, and with it the password.
    return str(error) if isinstance(error, MidflightError) else type(error).__name__
