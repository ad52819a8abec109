"""What serves an application at an address, and changes both within a change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Document, Health, hookimpl
from midflight_plugins.http._apps import (
    App,
    Lifespans,
    Receive,
    Scope,
    Send,
    Served,
    load_app,
)
from midflight_plugins.http._config import HttpConfig
from midflight_plugins.http._door import LINGER, Door, require_uvicorn
from midflight_plugins.http._loop import LoopThread
from midflight_plugins.http._tls import manner_of

if TYPE_CHECKING:
    from midflight import Runtime

_PROMPT = 10.0  # seconds for what takes milliseconds: swapping, discarding


@attrs.frozen
class Prepared:
    """What is ready to take over: an application that has started, an open socket."""

    config: HttpConfig
    served: Served
    door: Door


class Listener:
    """Serves an ASGI application; the hooks of a module type are made of it.

    A new application is imported and started before the change, then new requests go
    to it; those in flight, streams and web sockets among them, end with the old one.
    No connection is closed for that. A new address is opened before the change; the
    old one goes on accepting for a second, and its connections end with their next
    response. A restart of the module hands the socket on to the new object.

    Args:
        name: the module's name.
    """

    overlap = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._loop: LoopThread | None = None
        self._lifespans = Lifespans()
        self._now: Prepared | None = None
        self._ready: Prepared | None = None  # prepared, neither used nor discarded
        self._leaving: set[Door] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with the application that serves now."""
        now = self._now
        assert now is not None
        await now.served(scope, receive, send)

    def application(self, config: HttpConfig) -> App:
        """Return what shall answer; a subclass may have one that no name leads to.

        Raises:
            InvalidConfigurationError: there is no such application.
        """
        return load_app(config)

    def ready(
        self, config: HttpConfig, document: Document, runtime: Runtime
    ) -> Prepared:
        """Import and start the application, and open the socket.

        Args:
            config: what to serve, and where.
            document: the wanted one.
            runtime: whose module it is.

        Raises:
            InvalidConfigurationError: there is no such application.
            MissingDependencyError: uvicorn is not installed.
            OSError: the address is taken.
            RuntimeError: the application refused to start.
            TimeoutError: it did not start within `startup_timeout`.
        """
        require_uvicorn()
        self._let_go()
        now = self._now
        keep = now is not None and now.config.served == config.served
        app = None if keep else self.application(config)
        loop = self._running_loop()
        try:
            lender = self._lender(config, document, runtime)
            door = loop.call(self._door_for(config, lender), _PROMPT)
            try:
                served = (
                    now.served
                    if now is not None and app is None
                    else loop.call(self._serve(app, config), config.startup_timeout)
                )
            except BaseException:
                loop.call(self._give_back(door, config), _PROMPT)
                raise
        except BaseException:
            self._end_if_idle()
            raise
        self._ready = Prepared(config, served, door)
        return self._ready

    @hookimpl
    def start(self, prepared: Prepared) -> None:
        """Begin to serve."""
        self._commit(prepared)

    @hookimpl
    def reconfigure(self, prepared: Prepared) -> None:
        """Let new requests go to what was prepared, and let the rest run out."""
        self._commit(prepared)

    @hookimpl
    def discard(self) -> None:
        """End the application and close the socket that will not be used."""
        self._let_go()
        self._end_if_idle()

    @property
    def config(self) -> HttpConfig | None:
        """What is in force, if it was started."""
        now = self._now  # read once: another thread may stop the module meanwhile
        return now.config if now else None

    def health(self, values: Mapping[str, Any]) -> Health:
        """Say whether requests are accepted, and where.

        Args:
            values: further values in force.
        """
        now, loop = self._now, self._loop
        if now is None or loop is None:
            return Health(healthy=False, detail="not started")
        values = {**values, "address": now.door.name, "port": now.door.port}
        healthy = loop.alive and now.door.healthy
        detail = "" if healthy else f"the server on {now.door.name} has ended"
        return Health(healthy, values, detail)

    def end(self) -> None:
        """Finish the requests in flight, within `drain_timeout`, and end everything."""
        try:
            self.close()
        finally:  # the application may have blocked the loop for all of that time
            self.finish()

    def close(self) -> None:
        """Let nobody in any more; requests go on."""
        if self._loop is not None:
            self._loop.call(self._close(), _PROMPT)

    def finish(self) -> None:
        """End what `close` has left."""
        if self._loop is None:
            return
        loop, now = self._loop, self._now
        bound = now.config.drain_timeout if now else 0.0
        try:
            self._let_go()
            loop.call(self._shut(bound), 2 * bound + _PROMPT)
        finally:
            self._loop = self._now = None
            loop.close(_PROMPT)

    def _lender(
        self, config: HttpConfig, document: Document, runtime: Runtime
    ) -> Door | None:
        """Return the open door of a module that goes with this change, if it fits.

        That is the object which this one replaces, or a module that is renamed.
        """
        running = runtime.snapshot.document.modules
        gone = [name for name in running if name not in document.modules]
        for name in (self.name, *gone):
            with contextlib.suppress(KeyError):
                module = runtime.module(name)
                if isinstance(module, Listener) and module is not self:
                    now = module._now  # noqa: SLF001  # an object of this class
                    if now is not None and now.door.is_at(config.address):
                        return now.door
        return None

    def _running_loop(self) -> LoopThread:
        if self._loop is None:
            self._loop = LoopThread(f"midflight-http-{self.name}")
        return self._loop

    def _end_if_idle(self) -> None:
        if self._now is None and self._loop is not None:
            loop, self._loop = self._loop, None
            loop.close(_PROMPT)

    def _let_go(self) -> None:
        """Undo a `ready` whose commit did not come to begin."""
        ready, self._ready = self._ready, None
        if ready is not None and self._loop is not None:
            self._loop.call(self._discard(ready), _PROMPT)

    def _commit(self, new: Prepared) -> None:
        self._ready = None
        self._running_loop().call(self._swap(new), _PROMPT)

    # what follows runs on the loop's thread

    async def _door_for(self, config: HttpConfig, lender: Door | None) -> Door:
        """Return a door at this address: the one in use, one just left, a new one."""
        now = [self._now.door] if self._now else []
        manner = manner_of(config)
        near = [door for door in (*now, *self._leaving) if door.is_at(config.address)]
        near.sort(key=lambda door: door.manner != manner)  # the fitting one first
        if not near:
            return Door(config, self, lender)
        near[0].reclaim()
        if near[0].manner == manner:
            return near[0]
        try:
            return Door(config, self, near[0])
        except BaseException:
            self._leave_again(near[0], config)
            raise

    async def _serve(self, app: App | None, config: HttpConfig) -> Served:
        assert app is not None
        return Served(await self._lifespans.enter(app), config.settings)

    async def _swap(self, new: Prepared) -> None:
        old = self._now
        self._now = old or new  # a first request may come before `open` returns
        try:
            await new.door.open(new.config)
        except BaseException:
            self._now = old
            await self._discard(new)
            raise
        self._leaving.discard(new.door)
        self._leave_again(new.door.lender, new.config)
        self._now = new
        if old is None:
            return
        if old.door is not new.door:
            self._leave(old.door, old.config)
        if old.served is not new.served:
            task = asyncio.create_task(self._retire(old))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _retire(self, old: Prepared) -> None:
        """End an application once a way back is unlikely and its requests are done."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), LINGER)
        bound = old.config.drain_timeout
        await old.served.drained(bound)
        await self._lifespans.leave(old.served.lifespan, bound)

    def _leave(self, door: Door, config: HttpConfig) -> None:
        def left(task: asyncio.Task[None]) -> None:
            if not task.cancelled():
                self._leaving.discard(door)

        self._leaving.add(door)
        door.leave(config).add_done_callback(left)

    async def _discard(self, prepared: Prepared) -> None:
        now = self._now
        await self._give_back(prepared.door, prepared.config)
        if now is None or prepared.served is not now.served:
            bound = prepared.config.drain_timeout
            await self._lifespans.leave(prepared.served.lifespan, bound)

    async def _give_back(self, door: Door, config: HttpConfig) -> None:
        """Undo what `_door_for` did."""
        door.drop()
        self._leave_again(door, config)
        self._leave_again(door.lender, config)

    def _leave_again(self, door: Door | None, config: HttpConfig) -> None:
        """Go on leaving a door that was held back for a moment."""
        if door is not None and door in self._leaving:
            self._leave(door, config)

    @property
    def _doors(self) -> set[Door]:
        return {*self._leaving, *([self._now.door] if self._now else [])}

    async def _close(self) -> None:
        await asyncio.gather(*(door.stop_accepting() for door in self._doors))

    async def _shut(self, bound: float) -> None:
        end = asyncio.get_running_loop().time() + bound
        await asyncio.gather(*(door.close(bound) for door in self._doors))
        self._stopping.set()
        last = set(self._retiring)
        if self._now is not None:
            last.add(asyncio.create_task(self._retire(self._now)))
        if last:
            left = end - asyncio.get_running_loop().time()
            await asyncio.wait(last, timeout=max(1.0, left))
