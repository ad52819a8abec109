"""The event loop of a runtime that has none from its application."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from typing import TYPE_CHECKING

from midflight.errors import StoppedError

if TYPE_CHECKING:
    import asyncio

    from midflight import Runtime

GRACE = 1.0  # s that tasks have to end when they are cancelled
_KEY = "coroutines"


def loop_of(runtime: Runtime) -> OwnLoop:
    """Return what keeps the loop of a runtime, made at the first time."""
    found: OwnLoop | None = runtime.shared.get(_KEY)
    if found is None:
        found = runtime.shared.setdefault(_KEY, made := OwnLoop())
        # One that is never started does not stop either.
        weakref.finalize(runtime, made.close).atexit = False
    return found


class OwnLoop:
    """An event loop on a thread of its own, from the first coroutine to `close`."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._closed = self._ended = False

    def given(self, runtime: Runtime) -> asyncio.AbstractEventLoop:
        """Return the application's loop, or this one, which then begins to run.

        Raises:
            StoppedError: if it has ended with its runtime.
        """
        with self._making:
            loop = runtime.loop
            if loop is None or (loop is self._loop and not self._runs()):
                loop = runtime.loop = self._started()
            return loop

    def close(self) -> None:
        """End the loop, and with it what modules left running there."""
        if self._process not in {0, os.getpid()}:
            return  # in a forked child, where the lock may be nobody's
        with self._making:  # else one that is being made would stay
            runs, self._closed = self._runs(), True
        if runs and self._loop is not None:
            import asyncio

            asyncio.run_coroutine_threadsafe(self._finish(), self._loop)

    def _runs(self) -> bool:
        """Tell whether its thread is there; that of the parent of a fork is not."""
        return self._process == os.getpid() and not self._closed

    def _started(self) -> asyncio.AbstractEventLoop:
        import asyncio

        if self._closed:
            msg = "the runtime has stopped; a coroutine has no event loop any more"
            raise StoppedError(msg)
        loop = asyncio.new_event_loop()
        try:
            threading.Thread(
                target=self._serve, args=(loop,), name="midflight-asyncio", daemon=True
            ).start()
        except RuntimeError:  # no thread to be had
            loop.close()
            raise
        self._loop, self._process = loop, os.getpid()
        return loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ended:  # neither a task that exits nor a `stop` is the end
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                loop.run_forever()
        loop.close()

    async def _finish(self) -> None:
        """End what is left, in a while at most, and then the loop.

        Not `asyncio.Runner`: it waits for ever for what ignores that, and for the
        threads of the loop's executor.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        try:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=GRACE)
            await loop.shutdown_asyncgens()
        finally:
            self._ended = True
            loop.stop()
