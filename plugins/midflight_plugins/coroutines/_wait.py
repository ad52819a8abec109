"""From the thread that applies to an event loop, and back with the result."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from midflight.errors import StepTimeoutError, StoppedError

GRACE = 2.0  # s beyond the deadline; then the core has abandoned this thread
_LOOK = 0.25  # s between two looks whether the loop is still there

T = TypeVar("T")


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
        StoppedError: if the loop ended before it.
    """
    due = time.monotonic() + late.seconds
    steps = _within(start, due, late)
    try:
        future = asyncio.run_coroutine_threadsafe(steps, loop)
        # It may have an effect until it has ended. If it does not end, the core
        # abandons this thread, as one that hangs by itself.
        value, error = _waited(future, loop, due + GRACE)
    except TimeoutError:  # something blocks the loop, or it will not be ended
        future.cancel()
        raise late from None
    except (RuntimeError, concurrent.futures.CancelledError) as exc:  # closed, or soon
        if inspect.getcoroutinestate(steps) == inspect.CORO_CREATED:
            steps.close()
        why = f"{str(exc) or 'its event loop cancelled it'}; it may have had its effect"
        msg = f"{late.label}: `{late.hook}` ended without an answer: {why}"
        raise StoppedError(msg) from exc
    if error is not None:
        raise error
    return value


def _waited(
    future: concurrent.futures.Future[T], loop: asyncio.AbstractEventLoop, due: float
) -> T:
    """Return a future's result; a loop that has closed will bring none any more.

    It is looked at now and then: who closes it need not be the one who knows of this.

    Raises:
        RuntimeError: if the loop has closed.
        TimeoutError: if it is not there by `due`.
    """
    while True:
        closed = loop.is_closed()
        left = due - time.monotonic()
        try:
            return future.result(0 if closed else max(0, min(left, _LOOK)))
        except TimeoutError:
            if closed:
                msg = "Event loop is closed"
                raise RuntimeError(msg) from None
            if left <= 0:
                raise


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
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # by who ends the loop
        # The coroutine's own. As it is, no `Exception`, it would end who asks as well.
        answer = None, concurrent.futures.CancelledError(*exc.args)
    except BaseException as exc:  # noqa: BLE001  # handed on to the thread that waits
        answer = None, exc
    return (None, late) if timeout.expired() else answer
