"""A TCP proxy that does to connections what networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # linger for no time


class _Side(asyncio.Protocol):
    """One of the two connections of a link."""

    def __init__(self, link: _Link) -> None:
        self.link = link
        self.transport: Any = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.link.joined(self)

    def data_received(self, data: bytes) -> None:
        self.link.later(self._pass, data)

    def eof_received(self) -> bool:
        self.link.later(self._pass_end)
        return True  # the other direction may go on

    def connection_lost(self, exc: Exception | None) -> None:
        self.link.lost(self, exc)

    def reset(self) -> None:
        """Close the connection with a reset."""
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.abort()

    def _pass(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def _pass_end(self) -> None:
        if self.other is not None and self.other.transport is not None:
            with contextlib.suppress(OSError):
                self.other.transport.write_eof()


class _Link:
    """A client's connection and the one to the server on its behalf."""

    def __init__(self, proxy: TcpProxy) -> None:
        self.proxy, self.client = proxy, _Side(self)
        self.server: _Side | None = None
        self.frozen = self.dead = False

    def joined(self, side: _Side) -> None:
        """Connect to the server when the client has come, then let data flow."""
        self.proxy.links.add(self)
        side.transport.pause_reading()
        if side is self.client:
            self.proxy.accepted += 1
            self.frozen = self.proxy.holds_new
            if not self.frozen:
                self.connect()
            return
        self.client.other, side.other = side, self.client
        if not self.frozen:
            self.flow()

    def connect(self) -> None:
        """Open the connection to the server."""
        self.proxy.spawn(self._connect())

    async def _connect(self) -> None:
        self.server = side = _Side(self)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: side, "127.0.0.1", self.proxy.target)
        except OSError:
            self.end()
        else:
            if self.dead:
                self.end()

    def sides(self) -> list[_Side]:
        """Return the connections that are open."""
        both = (self.client, self.server)
        return [side for side in both if side is not None and side.transport]

    def flow(self) -> None:
        """Pass data on in both directions."""
        for side in self.sides():
            if not side.transport.is_closing():
                side.transport.resume_reading()

    def freeze(self) -> None:
        """Take nothing from either side; neither learns of it."""
        self.frozen = True
        for side in self.sides():
            if not side.transport.is_closing():
                side.transport.pause_reading()

    def thaw(self) -> None:
        """Go on where `freeze` stopped."""
        self.frozen = False
        if self.server is None:
            self.connect()
        elif self.client.other is not None:
            self.flow()

    def end(self) -> None:
        """Reset both connections."""
        self.dead = True
        for side in self.sides():
            side.reset()
        self.proxy.links.discard(self)

    def drop(self) -> None:
        """Reset the server's side; the client's stays open and silent."""
        self.frozen = True
        self.client.transport.pause_reading()
        self.client.other = None
        if self.server is not None:
            self.server.reset()

    def later(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function after the delay of the network."""
        if self.proxy.delay:
            asyncio.get_running_loop().call_later(self.proxy.delay, function, *args)
        else:
            function(*args)

    def lost(self, side: _Side, exc: Exception | None) -> None:
        """Close the other side as this one was closed."""
        if self.frozen and not self.dead:
            return
        if exc is not None:
            self.end()
            return
        if side.other is not None and side.other.transport is not None:
            side.other.transport.close()
        self.proxy.links.discard(self)


class TcpProxy:
    """Passes connections on to a port of this machine, until told otherwise.

    Use it in `with`, or call `close`. Its methods may be called from any thread.

    Args:
        target: the port.

    Attributes:
        port: where it listens on 127.0.0.1.
        accepted: how many connections have come so far.
        delay: seconds each piece of data takes; 0 by default.
    """

    def __init__(self, target: int) -> None:
        self.target, self.accepted, self.delay = target, 0, 0.0
        self.links: set[_Link] = set()
        self.holds_new = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._server: asyncio.Server | None = None
        self.port: int = self._call(self._listen(0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def freeze(self, *, new: bool = False) -> None:
        """Pass nothing on any more: no data, no FIN, no RST.

        Args:
            new: pass on what connects from now on; else it is accepted, and waits.
        """

        async def freeze() -> None:
            self.holds_new = not new
            for link in self.links:
                link.freeze()

        self._call(freeze())

    def thaw(self) -> None:
        """Go on with everything that was held."""

        async def thaw() -> None:
            self.holds_new = False
            for link in list(self.links):
                link.thaw()

        self._call(thaw())

    def cut(self) -> None:
        """Reset all connections, to the client and to the server."""

        async def cut() -> None:
            for link in list(self.links):
                link.end()

        self._call(cut())

    def drop(self) -> None:
        """Lose all connections: the server sees a reset, the client nothing at all."""

        async def drop() -> None:
            for link in self.links:
                link.drop()

        self._call(drop())

    def refuse(self) -> None:
        """Listen no more: new connections are refused until `listen`."""

        async def refuse() -> None:
            if self._server is not None:
                for each in self._server.sockets:
                    self._loop.remove_reader(each.fileno())
                # What was accepted under a server that closes would be lost, open.
                own = {asyncio.current_task()}
                while rest := asyncio.all_tasks() - self._tasks - own:
                    await asyncio.wait(rest)
                self._server.close()
                self._server = None

        self._call(refuse())

    def listen(self) -> None:
        """Listen again after `refuse`."""
        if self._server is None:
            self._call(self._listen(self.port))

    def close(self) -> None:
        """Reset everything and end."""
        if self._loop.is_closed():
            return
        self.refuse()
        self.cut()
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on the proxy's loop and keep it alive."""
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in list(self.links):
            link.end()
        await asyncio.sleep(0)  # transports close in the next round
        await asyncio.sleep(0)

    async def _listen(self, port: int) -> int:
        self._server = await self._loop.create_server(
            lambda: _Link(self).client, "127.0.0.1", port, backlog=512
        )
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)
