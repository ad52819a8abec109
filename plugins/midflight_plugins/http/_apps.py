"""Applications: importing them, their lifespans, and the one that answers now."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import attrs

from midflight.errors import Code, Fault, InvalidConfigurationError
from midflight_plugins.http._config import HttpConfig

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_log = logging.getLogger(__name__)


def load_app(config: HttpConfig) -> App:
    """Import the application, and make it if the name is that of a factory.

    Raises:
        InvalidConfigurationError: the name leads nowhere, to nothing callable, or into
            the standard library.
    """
    module_name, _, path = config.app.partition(":")
    _refuse_standard(config, module_name)
    try:
        target: Any = importlib.import_module(module_name)
        for part in path.split("."):
            target = getattr(target, part)
    except (ImportError, AttributeError) as exc:
        fault = Fault(
            Code.E_VALUE,
            f"application cannot be imported: {exc}",
            ("app",),
            found=config.app,
            expected="package.module:attribute",
            hint="is it installed in this environment, and spelt right?",
        )
        raise InvalidConfigurationError(fault) from exc
    if config.factory:
        _refuse_standard(config, str(getattr(target, "__module__", "")))
    app = target(config.settings) if config.factory else target
    if not callable(app):
        fault = Fault(
            Code.E_VALUE,
            "application is not callable",
            ("app",),
            found=f"{config.app}, a {type(app).__name__}",
            expected="an ASGI application",
        )
        raise InvalidConfigurationError(fault)
    return app  # type: ignore[no-any-return]  # whatever it is, it is called as ASGI says


def _refuse_standard(config: HttpConfig, module: str) -> None:
    """Refuse `subprocess:Popen` and the like: no applications, but ways to run code."""
    if module.partition(".")[0] in sys.stdlib_module_names:
        fault = Fault(
            Code.E_VALUE,
            "the standard library holds no application",
            ("app",),
            found=config.app,
            expected="package.module:attribute",
        )
        raise InvalidConfigurationError(fault)


class Lifespan:
    """The ASGI lifespan of one application object, shared by its users."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.users = 0
        self.lock = asyncio.Lock()
        self.state: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._inbox: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._answer: asyncio.Future[Mapping[str, Any] | None]

    async def start(self) -> None:
        """Run the application's start; one without a lifespan has nothing to do."""
        self.state = {}
        self._inbox = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._run())
        answer = await self._ask("lifespan.startup")
        if answer and answer["type"] == "lifespan.startup.failed":
            await self._end()
            reason = str(answer.get("message") or "no reason given").strip()
            msg = f"application refused to start: {reason.splitlines()[-1]}"
            raise RuntimeError(msg)
        if answer is None:
            await self._end()

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109  # one bound for both halves
        """Run the application's end, and cut it off after `timeout` seconds."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ask("lifespan.shutdown"), timeout)
            await self._end()

    async def _ask(self, event: str) -> Mapping[str, Any] | None:
        """Send an event and return the answer, `None` if there was none."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            return None
        self._inbox.put_nowait({"type": event})
        try:
            return await self._answer
        except asyncio.CancelledError:
            await self._end()
            raise

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=1.0)

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self.app(scope, self._inbox.get, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as exc:  # noqa: BLE001  # the loop must outlive the application
            # An exception before any answer is how an app says: no lifespan.
            _log.debug("lifespan ended: %r", exc)
        finally:
            if not self._answer.done():
                self._answer.set_result(None)

    async def _send(self, message: Mapping[str, Any]) -> None:
        if not self._answer.done():
            self._answer.set_result(message)


class Lifespans:
    """The lifespans that run: an application that is used twice is started once."""

    def __init__(self) -> None:
        self._known: dict[int, Lifespan] = {}

    async def enter(self, app: App) -> Lifespan:
        """Return the running lifespan of an application, started if need be."""
        lifespan = self._known.setdefault(id(app), Lifespan(app))
        lifespan.users += 1
        try:
            async with lifespan.lock:
                if lifespan.users == 1:
                    await lifespan.start()
        except BaseException:
            self._leave(lifespan)
            raise
        return lifespan

    async def leave(self, lifespan: Lifespan, timeout: float) -> None:  # noqa: ASYNC109  # the application's bound
        """Let go of a lifespan; the last user ends it."""
        async with lifespan.lock:
            if lifespan.users == 1:
                await lifespan.stop(timeout)
            self._leave(lifespan)

    def _leave(self, lifespan: Lifespan) -> None:
        lifespan.users -= 1
        if not lifespan.users:
            self._known.pop(id(lifespan.app), None)


@attrs.define(eq=False)
class Served:
    """An application with the settings that its requests see."""

    lifespan: Lifespan
    settings: Mapping[str, Any]
    in_flight: int = 0
    idle: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {**self.lifespan.state, "settings": self.settings}
        self.in_flight += 1
        self.idle.clear()
        try:
            await self.lifespan.app(scope, receive, send)
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self.idle.set()

    async def drained(self, timeout: float) -> None:  # noqa: ASYNC109  # a bound, not a failure
        """Wait until no request is in flight, at most `timeout` seconds."""
        if self.in_flight:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.idle.wait(), timeout)
