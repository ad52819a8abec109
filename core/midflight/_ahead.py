"""Calls that may run side by side, begun before it is their turn."""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable, Collection
from typing import Any

import attrs

from midflight._driver import NEVER, Call
from midflight._system import System, log

_MOST = 8  # threads beside the one that applies


class Ahead:
    """One call, made by whoever comes first: a thread beside, or its own turn.

    Args:
        call: what is to be called.
        clock: tells when it began.
    """

    def __init__(self, call: Call, clock: Callable[[], float]) -> None:
        from concurrent.futures import Future

        self._function, self._claim = call.function, threading.Lock()
        self._answer: Future[Any] = Future()
        self._call = attrs.evolve(call, function=self._taken)
        self._clock, self._since = clock, NEVER

    def turn(self) -> Call:
        """Return the call in its turn; its time runs since it was begun beside."""
        return attrs.evolve(
            self._call, since=NEVER if self._answer.done() else self._since
        )

    def claim(self) -> bool:
        """Tell whether nobody has begun the call; nobody else will from now on."""
        return self._claim.acquire(blocking=False)

    def make(self) -> None:
        """Make the call, unless somebody has begun it."""
        if self.claim():
            self._since = self._clock()
            try:
                self._answer.set_result(self._function())
            except BaseException as exc:  # noqa: BLE001  # raised again in its turn
                self._answer.set_exception(exc)

    def _taken(self) -> Any:
        self.make()
        return self._answer.result()


def begin(calls: Collection[Ahead], system: System) -> None:
    """Begin calls on threads beside; where there is none, each waits for its turn."""

    def work(context: contextvars.Context) -> None:
        for each in calls:
            context.run(each.make)  # a call knows that it is inside a change

    try:
        for _ in range(min(len(calls), _MOST) if len(calls) > 1 else 0):
            system.spawn(
                "midflight-prepare", functools.partial(work, contextvars.copy_context())
            )
    except RuntimeError as exc:
        log.warning("no thread to prepare modules beside others: %s", exc)
