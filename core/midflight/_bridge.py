"""Runs `async def` hooks on the application's event loop, or on one of its own."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import attrs

from midflight._system import System
from midflight.errors import StepTimeoutError, StoppedError

if TYPE_CHECKING:
    import asyncio

GRACE = 1.0  # s, so that a coroutine's own deadline comes before the monitor's


@attrs.define(eq=False, repr=False)
class Bridge:
    """From the thread that applies to an event loop, and back with the result.

    Args:
        system: starts the thread of the own loop.
        loop: the application's loop, if it has one.
    """

    _system: System
    loop: asyncio.AbstractEventLoop | None
    _own: asyncio.AbstractEventLoop | None = None
    _making: threading.Lock = attrs.field(factory=threading.Lock)
    _closed: bool = False

    def adapt(
        self, method: Callable[..., Any], label: str, hook: str, limit: float
    ) -> Callable[..., Any]:
        """Return a plain function that runs the coroutine function `method`."""

        @functools.wraps(method)
        def wait_for(*args: Any, **kwargs: Any) -> Any:
            import asyncio

            with self._making:
                loop = self.loop or self._own or self._start()
            late = StepTimeoutError(label, hook, limit)
            clock, due = self._system.monotonic, self._system.monotonic() + limit
            start = functools.partial(method, *args, **kwargs)
            future = asyncio.run_coroutine_threadsafe(
                _within(start, lambda: due - clock(), late), loop
            )
            try:
                # It may have an effect until it has ended. If it does not end, the
                # monitor abandons this thread, as one that hangs by itself.
                value, error = future.result(limit + 2 * GRACE)
            except TimeoutError:  # something blocks the loop, or it will not be ended
                future.cancel()
                raise late from None
            if error is not None:
                raise error
            return value

        return wait_for

    def _start(self) -> asyncio.AbstractEventLoop:
        import asyncio

        if self._closed:
            msg = "the runtime has stopped; a coroutine has no event loop any more"
            raise StoppedError(msg)
        loop = self._own = asyncio.new_event_loop()

        def serve() -> None:
            loop.run_forever()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            # Not `asyncio.Runner`: it waits for ever for what ignores that, and for
            # the threads of the loop's executor.
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=GRACE))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

        self._system.spawn("midflight-asyncio", serve)
        return loop

    def is_here(self) -> bool:
        """Tell whether this thread runs the loop of the hooks: it must not wait."""
        loop = running_loop()
        return loop is not None and loop in (self.loop, self._own)

    def forget(self) -> None:
        """Let go of an own loop whose thread a fork left behind."""
        self._own, self._making = None, threading.Lock()

    def close(self) -> None:
        """Stop the own loop, and with it what modules left running on it."""
        self._closed = True
        if self._own is not None:
            self._own.call_soon_threadsafe(self._own.stop)
            self._own = None


def running_loop() -> Any:
    """Return the event loop that this thread runs, if any; imports nothing for that."""
    asyncio: Any = sys.modules.get("asyncio")
    return asyncio and asyncio._get_running_loop()  # noqa: SLF001  # does not raise


async def _within(
    start: Callable[[], Coroutine[Any, Any, Any]],
    left: Callable[[], float],
    late: StepTimeoutError,
) -> tuple[Any, BaseException | None]:
    """Return a coroutine's result, or what it raised, or `late` if it takes too long.

    `SystemExit` and its like must not end the event loop that it runs on.
    """
    import asyncio

    seconds = left()
    timeout = asyncio.timeout(seconds)
    answer: tuple[Any, BaseException | None] = None, late
    try:
        async with timeout:
            if seconds > 0:  # else something blocked the loop for all of that time
                answer = await start(), None
    except BaseException as exc:  # noqa: BLE001  # handed on to the thread that waits
        answer = None, exc
    return (None, late) if timeout.expired() else answer
