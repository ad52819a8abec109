"""Runs `async def` hooks on the application's event loop, or on one of its own."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from midflight._system import System
from midflight.errors import StepTimeoutError

if TYPE_CHECKING:
    import asyncio


class Bridge:
    """From the thread that applies to an event loop, and back with the result."""

    def __init__(self, system: System, loop: asyncio.AbstractEventLoop | None) -> None:
        self._system = system
        self._loop = loop
        self._own = False

    def use(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run hooks on that loop from now on."""
        self._loop = loop

    def adapt(
        self, method: Callable[..., Any], label: str, hook: str, limit: float
    ) -> Callable[..., Any]:
        """Return a plain function that runs the coroutine function `method`."""

        @functools.wraps(method)
        def wait_for(*args: Any, **kwargs: Any) -> Any:
            return self._run(method(*args, **kwargs), label, hook, limit)

        return wait_for

    def _run(
        self, coroutine: Coroutine[Any, Any, Any], label: str, hook: str, limit: float
    ) -> Any:
        import asyncio  # noqa: PLC0415  # 40 ms that only async hooks need

        if self._loop is None:
            self._start()
        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(_contained(coroutine), self._loop)
        try:
            value, error = future.result(limit)
        except TimeoutError:
            future.cancel()
            raise StepTimeoutError(label, hook, limit) from None
        if error is not None:
            raise error
        return value

    def _start(self) -> None:
        import asyncio  # noqa: PLC0415  # as above

        loop = self._loop = asyncio.new_event_loop()
        self._own = True
        ready = threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.set)
            try:
                loop.run_forever()
            finally:
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.close()

        self._system.spawn("midflight-asyncio", serve)
        ready.wait()

    def close(self) -> None:
        """Stop the loop, if it is our own."""
        if self._own and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop, self._own = None, False


async def _contained(
    coroutine: Coroutine[Any, Any, Any],
) -> tuple[Any, BaseException | None]:
    """Keep `SystemExit` and its like from ending the event loop they run on."""
    try:
        return await coroutine, None
    except BaseException as exc:  # noqa: BLE001  # handed on to the thread that waits
        return None, exc
