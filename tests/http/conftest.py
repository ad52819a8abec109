from __future__ import annotations

import asyncio
import http.client
import json
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from midflight import Runtime, hookimpl
from midflight_plugins.http import HttpModule

APPS = "apps_under_test"


@attrs.define(eq=False)
class Echo:
    """An ASGI app that answers with its name and its settings, and keeps a diary."""

    label: str
    diary: list[str] = attrs.field(factory=list)
    gate: asyncio.Event | None = None
    entered: int = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        if scope["path"] == "/slow":
            await self._wait()
        body = json.dumps(
            {"app": self.label, "settings": dict(scope["state"]["settings"])}
        ).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _wait(self):
        self.gate = asyncio.Event()
        self.entered += 1
        await self.gate.wait()

    async def _live(self, scope, receive, send):
        await receive()
        scope["state"]["started"] = True
        self.diary.append("startup")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.diary.append("shutdown")
        await send({"type": "lifespan.shutdown.complete"})


class Source:
    """A source that holds what the test says."""

    def __init__(self, **config: Any) -> None:
        self.modules: dict[str, object] = {}
        self.set(**config)

    def set(self, name: str = "web", extra: dict | None = None, **config: Any):
        """Replace the configuration of the one module."""
        entry = {"type": "http", "config": {"port": 0, **config}, **(extra or {})}
        self.modules = {name: entry}

    @hookimpl
    def load(self):
        return {"modules": self.modules}


class Site:
    """A running module and the way to change it."""

    def __init__(self, runtime: Runtime, source: Source) -> None:
        self.runtime, self.source = runtime, source

    @property
    def module(self) -> HttpModule:
        return self.runtime.module("web")

    @property
    def values(self) -> dict:
        return dict(self.runtime.probe("web").values)

    @property
    def port(self) -> int:
        return self.values["port"]

    def change(self, **config: Any):
        """Change the configuration and reload; return the outcome."""
        self.source.set(**config)
        return self.runtime.reload()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that keeps alive."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, path: str = "/") -> dict:
        """Send one request on a connection of its own."""
        connection = self.connect()
        try:
            return answer(connection, path)
        finally:
            connection.close()


def answer(connection: http.client.HTTPConnection, path: str = "/") -> dict:
    """Send a request and return its decoded body."""
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, body
    return json.loads(body)


def eventually(holds: Callable[[], bool], timeout: float = 20.0) -> bool:
    """Wait until something holds; tell whether it came to."""
    due = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > due:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def apps(monkeypatch):
    """A module of applications that configuration can name."""
    module: Any = types.ModuleType(APPS)
    module.red, module.blue = Echo("red"), Echo("blue")
    module.made = []

    def make(settings):
        module.made.append(Echo(f"made-{settings.get('label', '')}"))
        return module.made[-1]

    module.make = make
    module.number = 5
    monkeypatch.setitem(sys.modules, APPS, module)
    return module


@pytest.fixture
def make_site(apps, fragile, request):
    """A function that starts a site; it is stopped after the test."""

    def make(
        strategy: str = "surgical", module: type = HttpModule, **config: Any
    ) -> Site:
        source = Source(**config)
        modules: dict[str, Any] = {"http": module, "fragile": fragile}
        runtime = Runtime(source, modules=modules, strategy=strategy)
        request.addfinalizer(runtime.stop)
        runtime.start()
        return Site(runtime, source)

    return make


@pytest.fixture(name="eventually")
def eventually_fixture():
    """Return the function that waits until something holds."""
    return eventually


@pytest.fixture
def site(apps):
    """A site that serves the red application."""
    source = Source(app=f"{APPS}:red")
    with Runtime(source, modules={"http": HttpModule}) as runtime:
        yield Site(runtime, source)
