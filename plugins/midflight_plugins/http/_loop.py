"""One event loop on a thread of its own, for the whole life of a module."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_log = logging.getLogger(__name__)


class LoopThread:
    """A running event loop, and a way to call it from other threads."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def call(self, work: Coroutine[Any, Any, T], timeout: float) -> T:
        """Run a coroutine on the loop and wait for it, at most `timeout` seconds.

        Raises:
            TimeoutError: it took longer, and was cancelled.
            RuntimeError: called on the loop's own thread, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            work.close()
            msg = "an application must not wait for its own server; use a thread"
            raise RuntimeError(msg)
        # A new context: requests must not inherit that of the change which began them.
        empty = contextvars.Context()
        future = empty.run(asyncio.run_coroutine_threadsafe, work, self.loop)
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            if not future.cancel():
                return future.result()
            msg = f"the application or its server did not answer within {timeout:g} s"
            raise TimeoutError(msg) from None

    def close(self, timeout: float) -> None:
        """Cancel what still runs, end the thread and close the loop."""
        self.loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(timeout)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        # A main task: where there is none, anyio takes each request for one, and starts
        # and ends a thread for every call that it makes on a thread.
        main = self.loop.create_task(self._ended.wait())
        while not self._ended.is_set():
            if main.done():
                main = self.loop.create_task(self._ended.wait())
            try:
                self.loop.run_until_complete(main)
            except asyncio.CancelledError:
                _log.debug("the application cancelled every task")
            except (SystemExit, KeyboardInterrupt):
                # asyncio lets these out of a task of the application's; others live on
                _log.exception("the application tried to exit")
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left, timeout=1.0))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
