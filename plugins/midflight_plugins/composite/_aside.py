"""Calls that may hang, on a thread of their own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import attrs

from midflight.errors import SourceUnavailableError

GRACE = 0.05  # s to wait for what was too slow before
FRESH = 1.0  # s for which a result that came too late is still good


@attrs.define(eq=False)
class _Job:
    """One call under way."""

    hook: str
    function: Callable[[], Any]
    done: threading.Event = attrs.field(factory=threading.Event)
    # A thread does not live on in a forked child.
    process: int = attrs.field(factory=os.getpid)
    late: bool = False
    outdated: bool = False
    result: Any = None
    error: BaseException | None = None
    ended: float = 0.0

    def run(self) -> None:
        try:
            self.result = self.function()
        except BaseException as exc:  # noqa: BLE001  # raised where it is waited for
            self.error = exc
        self.ended = time.monotonic()
        self.done.set()

    @property
    def stale(self) -> bool:
        """Whether it came back so late that things may be otherwise by now."""
        waited = time.monotonic() - self.ended > FRESH
        return self.late and (waited or self.outdated)


@attrs.define(eq=False)
class Aside:
    """One call at a time, each on a daemon thread; none is waited for too long.

    A call that overran stays the only one until it has come back; who asks for the same
    hook soon after that gets what it brought.

    Args:
        name: names the threads.
        timeout: seconds to wait for a call.
        came_late: told when a call comes back for which nobody waits any more.
    """

    name: str
    timeout: float
    came_late: Callable[[], None]
    _job: _Job | None = None

    def call(self, hook: str, function: Callable[[], Any]) -> Any:
        """Return what a call brings, or raise what it raised.

        Raises:
            SourceUnavailableError: it, or an earlier one, has not come back in time.
        """
        job = self._job
        if job is not None and job.process != os.getpid():
            job = None
        if job is None:
            job = self._start(hook, function)
        if not job.done.wait(GRACE if job.late else self.timeout):
            job.late = True
            if not job.done.is_set():
                msg = f"`{job.hook}` did not return within {self.timeout:g} s"
                raise SourceUnavailableError(msg)
        self._job = None
        if job.hook != hook or job.stale:
            return self.call(hook, function)
        if job.error is not None:
            raise job.error
        return job.result

    def outdate(self) -> None:
        """Note a change that a call under way may have missed."""
        if (job := self._job) is not None:
            job.outdated = True

    def _start(self, hook: str, function: Callable[[], Any]) -> _Job:
        job = self._job = _Job(hook, function)

        def run() -> None:
            job.run()
            if job.late:
                self.came_late()

        threading.Thread(target=run, name=self.name, daemon=True).start()
        return job
