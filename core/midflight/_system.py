"""Time, chance and threads, as one value that tests replace; and the log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import attrs

log = logging.getLogger("midflight")


def _spawn(name: str, target: Callable[[], None]) -> None:
    threading.Thread(target=target, name=name, daemon=True).start()


def _random() -> float:
    import random

    return random.random()


def _wait(condition: threading.Condition, timeout: float | None) -> None:
    condition.wait(timeout and min(timeout, threading.TIMEOUT_MAX))


@attrs.frozen(eq=False, repr=False)
class System:
    """What the core takes from the machine it runs on.

    Args:
        monotonic: seconds of a clock that never goes back.
        wall: seconds since 1970, for people.
        random: a uniform number in [0, 1).
        wait: wait on a held condition for at most so many seconds.
        spawn: run a function on a new daemon thread of that name.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    random: Callable[[], float] = _random
    wait: Callable[[threading.Condition, float | None], None] = _wait
    spawn: Callable[[str, Callable[[], None]], None] = _spawn
