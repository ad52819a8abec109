"""A runtime of two layers, and a function that asks its API as a client would."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from midflight import Health, Runtime, hookimpl
from midflight_plugins.api import ROUTES, Api, Caller, Request
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

OWNER = Caller("ada", ("admin",))
CONFIG = "modules/api/config"


class Limiter:
    """Refuses a rate below 0 in `prepare` and one above 99 in its step."""

    def __init__(self, name):
        self.name, self.seen = name, []

    @hookimpl
    def start(self, config):
        self.config = config

    @hookimpl
    def prepare(self, config):
        if config.get("rate", 0) < 0:
            raise ValueError("a rate is not negative")

    @hookimpl
    def reconfigure(self, config):
        self.config = config
        self.seen.append(config)
        if config.get("rate", 0) > 99:
            raise ValueError("too fast")

    @hookimpl
    def probe(self):
        return Health(values=dict(self.config))


class Fixed:
    """A module that must be restarted."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        self.config = config


def entry(name, kind="limiter", **config):
    """Return the entry of a module."""
    return {"name": name, "type": kind, "config": config}


BASE: dict[str, Any] = {
    "modules": [
        entry("api", rate=1, hosts=["a"], deep={"x": 1, "y": 2}),
        entry("web", rate=1),
        entry("log", "fixed", level="INFO"),
    ],
    "limits": {"total": 5},
}
MODULES: dict[str, Any] = {"limiter": Limiter, "fixed": Fixed}


class Client:
    """Asks a runtime, as one caller or another."""

    def __init__(self, runtime, caller=OWNER):
        self.api, self.caller = Api.of(runtime), caller

    def __call__(self, method, path, body=None, **headers):
        """Ask; a body of bytes is sent as it is, and any other as JSON."""
        data, given = body, {k.replace("_", "-"): v for k, v in headers.items()}
        if not isinstance(data, bytes):
            data = b"" if body is None else json.dumps(body).encode()
        if data:
            given = {"content-type": "application/json", **given}
        url = urlsplit(f"/api/v1/{path}")
        for route in ROUTES:
            params = route.match(url.path)
            if route.method == method and params is not None:
                query = dict(parse_qsl(url.query, keep_blank_values=True))
                request = Request(self.caller, params, query, given, data)
                return self.api.answer(route, request)
        pytest.fail(f"there is no route {method} {path}")

    def tag(self, path=CONFIG):
        """Return the tag of a module's configuration."""
        return self("GET", path).headers["ETag"]


@pytest.fixture
def base():
    """Return the lowest layer."""
    return MemorySource(BASE)


@pytest.fixture
def overrides():
    """Return the layer of what operators change."""
    return OverridesSource()


@pytest.fixture
def runtime(base, overrides):
    """Return a runtime of both, that runs."""
    with Runtime([base, overrides], modules=MODULES) as runtime:
        yield runtime


@pytest.fixture
def ask(runtime):
    """Return what asks it, as its owner."""
    return Client(runtime)


@pytest.fixture
def state(runtime, overrides):
    """Return a function that tells what is stored, in force and told by a module."""

    def state():
        document = runtime.snapshot.document
        values = runtime.probe("api").values
        return overrides.head().tree, document.digest, values

    return state
