"""A door: one listening socket with the uvicorn server behind it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import pathlib
import socket
from typing import TYPE_CHECKING, Any

from midflight.errors import InvalidConfigurationError, MissingDependencyError
from midflight_plugins.http import _sockets
from midflight_plugins.http._apps import App, Receive, Scope, Send
from midflight_plugins.http._bounds import Bounds, has_two_lengths, limited, refuse
from midflight_plugins.http._config import HttpConfig
from midflight_plugins.http._tls import context_of, manner_of, renew

if TYPE_CHECKING:
    import uvicorn

LINGER = 1.0
"""Seconds for which what was given up is kept, for late clients and a way back."""

_HALF_OPEN = 0.2  # a handshake under way ends within a round trip
_QUEUE = 2.0  # seconds to serve the queue; it stays full if descriptors run out
_LOOK = 0.05
_RENEWAL = 60.0  # seconds between two looks at the certificate's files
_log = logging.getLogger("midflight.http")


def require_uvicorn() -> None:
    """Raise `MissingDependencyError` if the server's library is not installed."""
    try:
        import uvicorn  # noqa: F401  # only whether it is there
    except ImportError as exc:
        what = "a module of type `http`"
        raise MissingDependencyError(what, "uvicorn", "http") from exc


class Door:
    """Accepts connections on one socket and hands their requests to an application.

    Args:
        config: its address and limits.
        inside: answers the requests.
        lender: a door that has this socket already: of another module object, or one
            that speaks another way, such as without TLS.

    Raises:
        InvalidConfigurationError: the certificate cannot be used.
        OSError: the address cannot be had.
    """

    def __init__(
        self, config: HttpConfig, inside: App, lender: Door | None = None
    ) -> None:
        self.address = config.address
        self.manner, self._tls = manner_of(config), context_of(config)
        self._config = config
        self._renewing: asyncio.Task[None] | None = None
        self._proxy_headers, self._bounds = config.proxy_headers, Bounds()
        self._bounded = config.is_bounded
        self.sock: socket.socket = (
            lender.sock.dup()
            if lender
            else _sockets.listen(config.address, config.backlog, config.uds_permissions)
        )
        self.name = _sockets.shown(self.sock)
        self.accepting = True
        self._inside = inside
        self.lender = lender
        self._lent = False
        self._closing = False
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int | None:
        """The port listened on, or `None` for a unix socket."""
        text = self.name.rpartition(":")[2]
        return None if self.name.startswith("unix:") else int(text)

    def is_at(self, address: tuple[str, int] | str) -> bool:
        """Whether people are still let in at this address, as configured or bound."""
        bound = (self.address[0], self.port) if self.port else self.address
        return self.accepting and address in {self.address, bound}

    @property
    def healthy(self) -> bool:
        """Whether the server accepts connections."""
        serving = self._serving is not None and not self._serving.done()
        return serving and self.accepting

    @property
    def _connections(self) -> set[Any]:
        return set(self._server.server_state.connections) if self._server else set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._bounded and has_two_lengths(scope):
            await refuse(send)
            return

        async def send_last(message: Any) -> None:
            if self._closing and message["type"] == "http.response.start":
                headers = [
                    (name, value)
                    for name, value in message.get("headers", ())
                    if name.lower() != b"connection"
                ]
                headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            await send(message)

        await self._inside(scope, receive, send_last)

    async def open(self, config: HttpConfig) -> None:
        """Begin to accept, or go on accepting after all, with these limits."""
        self.reclaim()
        self._closing = False
        if self._server is None:
            await self._serve()
            if self.lender is not None:
                self.lender._lent = True  # noqa: SLF001  # a door of the same class
        self._adjust(config)

    def reclaim(self) -> None:
        """Keep a door that was about to be left, until it is opened or left again."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def leave(self, config: HttpConfig) -> asyncio.Task[None]:
        """Give the address up: each connection ends with its next response."""
        self._closing = True
        loop = asyncio.get_running_loop()
        self._leaving = loop.create_task(self._leave(config.drain_timeout))
        return self._leaving

    async def close(self, drain_timeout: float) -> None:
        """Close idle connections at once, the others after their response.

        Args:
            drain_timeout: seconds after which a request in flight is cut off.
        """
        self._closing = True
        self.reclaim()
        shared = self.is_shared
        await self.stop_accepting()
        if shared:
            # clients will find the other door: no need to hang up on them
            await self._run_dry(drain_timeout)
        await self._end(drain_timeout)

    def drop(self) -> None:
        """Close the socket of a door that was never opened."""
        if self._server is None:
            self.accepting = False
            self._close_socket()

    async def _serve(self) -> None:
        import uvicorn

        settings = uvicorn.Config(
            self,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            server_header=False,
            proxy_headers=self._proxy_headers,
        )
        settings.load()
        settings.ssl = self._tls
        settings.http_protocol_class = limited(
            settings.http_protocol_class, self._bounds if self._bounded else None
        )
        server = uvicorn.Server(settings)
        loop = asyncio.get_running_loop()
        self._serving = loop.create_task(server.serve(sockets=[self.sock]))
        while not server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(0.001)
        self._server = server
        if self._tls is not None:
            self._renewing = loop.create_task(self._renew())

    def renew(self) -> None:
        """Take up a certificate whose files were replaced, as renewals do."""
        try:
            manner = manner_of(self._config)
        except InvalidConfigurationError as exc:
            _log.warning("%s keeps its certificate: %s", self.name, exc)
            return
        if manner != self.manner and self._tls is not None:
            renew(self._tls, self._config)
            self.manner = manner
            _log.info("%s has a new certificate", self.name)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEWAL)
            self.renew()

    def _adjust(self, config: HttpConfig) -> None:
        """Put limits in force, for the connections that are open too."""
        if self._server is None:
            return
        self._config = config
        self.sock.listen(config.backlog)
        if config.uds and config.uds_permissions:
            pathlib.Path(config.uds).chmod(int(config.uds_permissions, 8))
        self._bounds.head_timeout = config.head_timeout
        self._bounds.connections = config.connections
        limits: Any = self._server.config
        limits.timeout_keep_alive = config.keep_alive_timeout
        # not given to uvicorn.Config, which would take the logger's handlers away
        limits.access_log = config.access_log
        for connection in self._connections:
            connection.timeout_keep_alive = config.keep_alive_timeout
            connection.access_log = config.access_log

    @property
    def is_shared(self) -> bool:
        """Whether another module object goes on with this socket."""
        return self._lent or (self.lender is not None and self.lender.accepting)

    async def _leave(self, drain_timeout: float) -> None:
        # a socket that two doors share has clients for one of them only
        await asyncio.sleep(0 if self.is_shared else LINGER)
        self.accepting = False  # from here on there is no way back
        await self.stop_accepting()
        await self._run_dry(drain_timeout)
        await self._end(0)

    async def _run_dry(self, drain_timeout: float) -> None:
        """Wait until each connection has had its last response, or was left idle."""
        quiet = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_timeout):
                # two looks: a connection just accepted is not yet in the set
                while quiet < 2:  # noqa: PLR2004  # as the comment says
                    await asyncio.sleep(_LOOK)
                    quiet = 0 if self._connections else quiet + 1

    async def stop_accepting(self) -> None:
        """Let nobody in any more, after those who already stand in the queue."""
        self.accepting = False
        if self._server is None or self.sock.fileno() < 0:
            self.drop()
            return
        if self.is_shared:
            if self.lender is not None:
                self.lender._lent = False  # noqa: SLF001  # a door of the same class
        else:
            with contextlib.suppress(OSError):
                _sockets.refuse_new(self.sock)
            await asyncio.sleep(_HALF_OPEN)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_QUEUE):
                    while _sockets.has_waiting(self.sock):  # noqa: ASYNC110  # the kernel has no event for it
                        await asyncio.sleep(0.001)
        for server in self._server.servers:
            server.close()
        await asyncio.sleep(_LOOK)

    def _close_socket(self) -> None:
        if self.is_shared:
            self.sock.close()
        else:
            _sockets.close(self.sock)

    async def _end(self, drain_timeout: float) -> None:
        """Let the server end; what it had to cut off ends as well."""
        if self._server is None or self._serving is None:
            return
        # at 0 uvicorn would report a cut-off even where nothing is left to cut
        if self._renewing is not None:
            self._renewing.cancel()
        self._server.config.timeout_graceful_shutdown = max(1, math.ceil(drain_timeout))
        self._server.should_exit = True
        await asyncio.wait([self._serving])
        for connection in self._connections:
            if connection.transport is not None:
                connection.transport.abort()
        tasks = set(self._server.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
