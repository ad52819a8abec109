"""What sources share that follow a store by themselves: a thread, and patience.

A source whose client can wait for changes, or that has to look again and again, needs a
thread that outlives every failure. This one begins anew after each, later and later, at
random, so that not all processes come back at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from midflight._system import System, log

_FIRST, _HEALTHY = 1.0, 60.0  # s: the first pause; what makes pauses begin anew
_GRACE, _AGAIN = 5.0, 0.1  # s to end, and from one interrupt to the next


class Following:
    """Follows a store while it is entered: what `watch` of a source may return.

    It may be left twice. A thread that does not end is left behind, with a warning.

    Args:
        name: of what is followed, for the log and the thread.
        follow: does it, on a thread of its own: connects, gives a hint, since something
            may have happened meanwhile, and then one for each change. It returns soon
            after the event that it is given is set; whatever else ends it, a return or
            an exception, is a failure, and it is called anew after a pause. Where
            a stream ends in the normal course of things, it opens the next by itself.
        interrupt: wakes `follow` from where it waits, once that event is set. It is
            called again while `follow` does not return, which may have been about to
            wait: a call too many must do no harm.
        longest: seconds that a pause may take; the first takes up to 1 s, each next
            twice as long.
        system: time, chance and threads, for tests.
    """

    def __init__(
        self,
        name: str,
        follow: Callable[[threading.Event], object],
        *,
        interrupt: Callable[[], object] | None = None,
        longest: float = 30.0,
        system: System | None = None,
    ) -> None:
        self._name, self._follow, self._interrupt = name, follow, interrupt
        self._longest, self._system = longest, system or System()
        self._ending, self._ended = threading.Event(), threading.Event()
        self._said = ""

    def __enter__(self) -> Self:
        self._system.spawn(f"midflight-{self._name}", self._run)
        return self

    def __exit__(self, *_: object) -> None:
        if self._ending.is_set():
            return
        self._ending.set()
        now = System().monotonic  # as `wait` counts, in tests as well
        due = now() + _GRACE
        while now() < due:
            self._wake()
            if self._ended.wait(_AGAIN):
                return
        log.warning("%s: the thread that follows it does not end", self._name)

    def _wake(self) -> None:
        try:
            if self._interrupt is not None:
                self._interrupt()
        except Exception:  # noqa: BLE001  # a client that is half closed already
            log.debug("%s cannot be interrupted", self._name, exc_info=True)

    def _run(self) -> None:
        tries = 0
        try:
            while not self._ending.is_set():
                begun = self._system.monotonic()
                text = self._failure()
                if self._system.monotonic() - begun > _HEALTHY:
                    tries, self._said = 0, ""
                if not self._ending.is_set():
                    self._say(text)
                    longest = min(self._longest, _FIRST * 2.0 ** min(tries, 16))
                    self._ending.wait(longest * self._system.random())
                    tries += 1
        finally:
            self._ended.set()

    def _failure(self) -> str:
        """Follow until that ends; return why it did."""
        try:
            self._follow(self._ending)
        except BaseException as exc:  # noqa: BLE001  # a cancelled task raises one too
            return f"{type(exc).__name__}: {exc}"
        return "it ended"

    def _say(self, text: str) -> None:
        if text != self._said:  # at every try the same is said once
            log.warning("%s is not followed: %s; trying again", self._name, text)
        self._said = text
