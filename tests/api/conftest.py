from __future__ import annotations

import http.client
import json
import os
import socket
from urllib.parse import urlencode, urlsplit

import pytest

from midflight import Runtime, hookimpl
from midflight_plugins.api import ROUTES, Api, Caller, Request
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

HUSH = "hush-hush"


class Limiter:
    """A module that refuses a rate below 0, and tells what it was given."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        self.config = config

    @hookimpl
    def prepare(self, config):
        if config.get("rate", 0) < 0:
            msg = f"a rate is not negative, says {config.get('password')}"
            raise ValueError(msg)

    @hookimpl
    def reconfigure(self, config):
        self.config = config

    @hookimpl
    def probe(self):
        return {**self.config, "said": [f"with {self.config.get('password')}"]}


class Fixed:
    """A module that must be restarted."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        pass


CONFIG = {
    "rate": 1,
    "password": HUSH,
    "token": "98765432",
    "hosts": ["a", "b"],
    "url": "db://u:hush-url@h",
}
BASE = {
    "modules": [
        {"name": "api", "type": "limiter", "config": CONFIG},
        {"name": "log", "type": "fixed", "config": {}, "dependsOn": ["api"]},
    ],
    "limits": {"a.b": 5},
}
MODULES = {"limiter": Limiter, "fixed": Fixed}


@pytest.fixture
def base():
    """Return the lowest layer."""
    return MemorySource(BASE)


@pytest.fixture
def overrides():
    """Return the layer of single values."""
    return OverridesSource()


@pytest.fixture
def state_dir(tmp_path):
    """Return a state directory, below which a socket is served."""
    return tmp_path / "state"


@pytest.fixture
def runtime(base, overrides, state_dir):
    """Return a runtime of two layers."""
    layers = [base, {"source": overrides, "name": "set"}]
    with Runtime(layers, modules=MODULES, state_dir=state_dir) as runtime:
        yield runtime


class Got:
    """An answer, as it is written."""

    def __init__(self, status, headers, text):
        self.status, self.text = status, text
        self.headers = {key.lower(): value for key, value in headers.items()}

    @property
    def content(self):
        """What it holds."""
        return json.loads(self.text)


def directly(runtime, method, path, body, headers):
    """Answer without a server, as the owner of the process."""
    url = urlsplit(path)
    query = dict(each.split("=", 1) for each in url.query.split("&") if each)
    for route in ROUTES:
        params = route.match(url.path)
        if params is not None and route.method == method:
            caller = Caller("ada", ("admin",))
            asked = Request(caller, params, query, headers, body)
            answer = Api.of(runtime).answer(route, asked)
            text = json.dumps(answer.content, default=str)
            return Got(answer.status, answer.headers, text)
    pytest.fail(f"there is no route {method} {url.path}")


def by_socket(runtime, method, path, body, headers):
    """Ask on the socket of the state directory."""
    folder = os.open(runtime.state_dir, os.O_RDONLY)
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(20)
        connection.sock.connect(f"/proc/self/fd/{folder}/control.sock")
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return Got(answer.status, dict(answer.getheaders()), answer.read().decode())
    finally:
        os.close(folder)
        connection.close()


@pytest.fixture(params=[directly, by_socket])
def ask(request, runtime):
    """Return a function that asks, on both ways."""

    def ask(method, target, /, body=b"", headers=None, **query):
        asked = f"{target}?{urlencode(query)}" if query else target
        given = {key.lower(): value for key, value in (headers or {}).items()}
        return request.param(runtime, method, f"/api/v1/{asked}", body, given)

    return ask
