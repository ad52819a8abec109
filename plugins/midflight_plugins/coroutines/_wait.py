"""From the thread that applies to an event loop, and back with the result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from midflight.errors import StepTimeoutError

GRACE = 2.0  # s beyond the deadline; then the core has abandoned this thread


def result_of(
    start: Callable[[], Coroutine[Any, Any, Any]],
    loop: asyncio.AbstractEventLoop,
    late: StepTimeoutError,
) -> Any:
    """Return what a coroutine returns on a loop of another thread.

    Args:
        start: makes the coroutine.
        loop: what runs it.
        late: raised if it has not ended in the seconds of this error.

    Raises:
        StepTimeoutError: if it was too late, and has ended for that.
    """
    due = time.monotonic() + late.seconds
    steps = _within(start, due, late)
    try:
        future = asyncio.run_coroutine_threadsafe(steps, loop)
    except RuntimeError:  # the application has closed it
        steps.close()
        raise
    try:
        # It may have an effect until it has ended. If it does not end, the core
        # abandons this thread, as one that hangs by itself.
        value, error = future.result(late.seconds + GRACE)
    except TimeoutError:  # something blocks the loop, or it will not be ended
        future.cancel()
        raise late from None
    if error is not None:
        raise error
    return value


async def _within(
    start: Callable[[], Coroutine[Any, Any, Any]], due: float, late: StepTimeoutError
) -> tuple[Any, BaseException | None]:
    """Return a coroutine's result, or what it raised, or `late` if it takes too long.

    `SystemExit` and its like must not end the event loop that it runs on.
    """
    seconds = due - time.monotonic()
    timeout = asyncio.timeout(seconds)
    answer: tuple[Any, BaseException | None] = None, late
    try:
        async with timeout:
            if seconds > 0:  # else something blocked the loop for all of that time
                answer = await start(), None
    except BaseException as exc:  # noqa: BLE001  # handed on to the thread that waits
        answer = None, exc
    return (None, late) if timeout.expired() else answer
