"""What one client may take of a server: time for the head of a request, connections."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar, cast

import attrs

from midflight_plugins.http._apps import Scope, Send

_LONG = 86_400.0  # s


@attrs.define
class Bounds:
    """Limits on connections that only wait; `None` is no limit.

    Args:
        head_timeout: seconds from a connection, or from the last answer, to the end of
            the head of a request; and for the client to take what was sent to it.
        connections: how many may be open; one more ends that which waits longest.
    """

    head_timeout: float | None = None
    connections: int | None = None


def limited(base: type[Any], bounds: Bounds | None) -> Any:
    """Return uvicorn's protocol for connections, with what it lacks.

    Args:
        base: the one that it has chosen.
        bounds: limits, which may change later; with them, the one in pure Python is
            used. uvicorn itself waits for the head of a request as long as it takes,
            and answers nobody any more where too many connections are open, idle or
            not.
    """
    if bounds is None:
        return type("Logged", (_Logged, base), {})
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    more = {"bounds": bounds, "unsendable": h11.LocalProtocolError}
    return type("Bounded", (_Bounded, H11Protocol), more)


def has_two_lengths(scope: Scope) -> bool:
    """Tell whether a request says twice where its body ends.

    A proxy in front may believe the other, and take what follows for part of the body.
    """
    names = {name for name, _ in scope["headers"]}
    return {b"content-length", b"transfer-encoding"} <= names


async def refuse(send: Send) -> None:
    """Answer what is no sound request, and close the connection."""
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": b"Invalid HTTP request."})


class _Logged(asyncio.Protocol):
    """A connection that logs its requests if the settings say so.

    uvicorn's looks at the logger instead, whose handlers are another module's.
    """

    config: Any
    access_log: bool

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.access_log = self.access_log and self.config.access_log


class _Hushed(logging.LoggerAdapter[logging.Logger]):
    """uvicorn's logger, for which what strangers send is no warning.

    It has a line or two for each request that is none, which anybody can send.
    """

    @property
    def level(self) -> int:
        return self.logger.level

    def warning(self, msg: object, *args: object, **more: Any) -> None:
        self.debug(msg, *args, **more)


class _Bounded(_Logged):
    """One connection, on top of uvicorn's; it keeps us waiting while `due` is set."""

    bounds: ClassVar[Bounds]
    unsendable: ClassVar[type[Exception]]
    connections: set[Any]
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    cycle: Any
    logger: Any
    due: asyncio.TimerHandle | None = None
    stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.logger = _Hushed(self.logger, {})
        super().connection_made(transport)
        self._look()
        most = self.bounds.connections
        if most and len(self.connections) > most:
            waiting = [each for each in self.connections if each.due]
            oldest = min(waiting, key=lambda each: each.due.when(), default=self)
            oldest.hang_up()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        cast("Any", super()).on_response_complete()
        self._look()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no request.

        Those in the middle of a body end its request, which uvicorn would let go on
        and answer a second time. If part of an answer is on its way, or it was `HEAD`,
        there is no other.
        """
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        try:
            cast("Any", super()).send_400_response(msg)
        except self.unsendable:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.stuck = self._later()

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self.stuck)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def hang_up(self) -> None:
        """End the connection, which is nobody's any more."""
        self._stop()
        self.transport.abort()

    def _stop(self) -> None:
        _cancel(self.due)
        _cancel(self.stuck)
        self.due = self.stuck = None

    def _look(self) -> None:
        """Run the clock while the head of a request is missing."""
        if self.cycle is not None and not self.cycle.response_complete:
            _cancel(self.due)
            self.due = None
        elif self.due is None:
            self.due = self._later()

    def _later(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.bounds.head_timeout or _LONG, self.hang_up)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
