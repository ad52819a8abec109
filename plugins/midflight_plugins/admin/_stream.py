"""Events of a runtime as a stream that ends when either side does."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

from midflight.errors import Code
from midflight_plugins.api import Event, Events, Problem
from midflight_plugins.http import Receive, Scope, Send

if TYPE_CHECKING:
    from starlette.requests import Request

    from midflight import Runtime

_AT_ONCE = 100  # streams
_WAITING = 1_000  # events for one client; a slower one asks again for what it missed
_LOOK = 1.0  # s between two looks whether it may go on
_PING = 15.0  # s


class _Listener:
    """One stream: what waits to be sent, `None` being its end."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[Event | None] = asyncio.Queue()

    def put(self, event: Event | None) -> None:
        """Queue an event, from any thread."""
        with contextlib.suppress(RuntimeError):  # its loop is closed
            self.loop.call_soon_threadsafe(self.queue.put_nowait, event)


class _Response(StreamingResponse):
    """An answer that counts, and listens, from its very start to its end.

    Before its status is sent: whoever has read that misses nothing any more.
    """

    under_way: set[_Response]
    listening: Callable[[], AbstractContextManager[_Listener]]
    texts: Callable[[_Listener], AsyncIterator[str]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.under_way.add(self)
        try:
            with self.listening() as listener:
                self.body_iterator = self.texts(listener)
                await super().__call__(scope, receive, send)
        finally:
            self.under_way.discard(self)


class Streams:
    """Every open stream of events of one server.

    Written here in a few lines: `sse-starlette` changes uvicorn's server for the whole
    process, leaves a task that looks every half second on each loop, and logs each
    event.

    Args:
        runtime: whose events they are.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._open = runtime, set[_Listener]()
        self._under_way = set[_Response]()
        self._closed, self._lock = False, threading.Lock()

    def close(self) -> None:
        """End every stream, and let none begin; from any thread."""
        with self._lock:
            self._closed = True
            for listener in self._open:
                listener.put(None)

    def response(
        self, request: Request, is_valid: Callable[[], bool]
    ) -> StreamingResponse:
        """Answer with the events that come, and those since `Last-Event-ID`.

        Args:
            request: the request.
            is_valid: whether who asks may still know; looked at every second.

        Raises:
            Problem: there are too many streams.
        """
        if len(self._under_way) >= _AT_ONCE:
            msg = f"there are {_AT_ONCE} streams of events already"
            raise Problem(503, Code.E_RATE, msg, headers={"Retry-After": "5"})
        last = request.headers.get("last-event-id")
        answer = _Response(
            (),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        answer.under_way, answer.listening = self._under_way, self._listening
        answer.texts = functools.partial(self._texts, last, is_valid)
        return answer

    async def _texts(
        self, last: str | None, is_valid: Callable[[], bool], listener: _Listener
    ) -> AsyncIterator[str]:
        yield ": connected\n\n"
        told = 0
        for missed in Events.of(self._runtime).since(last):
            told = max(told, missed.number)
            yield _text(missed)
        quiet = time.monotonic()
        while (event := await self._next(listener, is_valid)) is not None:
            if event is not _NOTHING and event.number > told:
                yield _text(event)
            elif time.monotonic() - quiet < _PING:
                continue
            else:
                yield ": ping\n\n"
            quiet = time.monotonic()

    async def _next(
        self, listener: _Listener, is_valid: Callable[[], bool]
    ) -> Event | None:
        """Wait a moment for an event; `_NOTHING` if none came, `None` at the end."""
        if listener.queue.qsize() > _WAITING:
            return None
        try:
            async with asyncio.timeout(_LOOK):
                event = await listener.queue.get()
        except TimeoutError:
            event = _NOTHING
        if event is None or not self._runtime.running:
            return None
        return event if is_valid() else None

    @contextlib.contextmanager
    def _listening(self) -> Iterator[_Listener]:
        listener = _Listener()
        with self._lock:
            if self._closed:
                listener.put(None)
            self._open.add(listener)
        end = Events.of(self._runtime).subscribe(listener.put)
        try:
            yield listener
        finally:
            end()
            with self._lock:
                self._open.discard(listener)


_NOTHING = Event(0, "", "", "")


def _text(event: Event) -> str:
    """Write an event as a stream has it; its data is one line of JSON."""
    mark = f"id: {event.id}\n" if event.id else ""
    return f"{mark}event: {event.name}\ndata: {event.text}\n\n"
