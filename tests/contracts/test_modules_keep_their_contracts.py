from __future__ import annotations

import logging
import socket
import sys
import types
from typing import Any

import pytest

from midflight.testing import ModuleContract
from midflight_plugins.http import HttpModule
from midflight_plugins.logging import LoggingModule

APPS = "apps_under_contract"


@pytest.fixture
def apps(monkeypatch):
    """A module of applications that configuration can name."""

    async def app(scope, receive, send):
        if scope["type"] != "lifespan":
            return
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})

    async def grumpy(_scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def other(scope, receive, send):
        await app(scope, receive, send)

    module: Any = types.ModuleType(APPS)
    module.app, module.other, module.grumpy = app, other, grumpy
    monkeypatch.setitem(sys.modules, APPS, module)
    return APPS


class TestHttpModule(ModuleContract):
    """It changes its application."""

    @pytest.fixture
    def module(self):
        return HttpModule

    @pytest.fixture
    def config(self, apps):
        with socket.create_server(("127.0.0.1", 0)) as free:
            return {"app": f"{apps}:app", "port": free.getsockname()[1]}

    @pytest.fixture
    def other_config(self, config, apps):
        return {**config, "app": f"{apps}:other", "settings": {"limit": 1}}

    @pytest.fixture
    def refused_config(self, config, apps):
        return {**config, "app": f"{apps}:grumpy"}


class TestHttpModuleThatMoves(TestHttpModule):
    """It changes the address as well."""

    @pytest.fixture
    def config(self, apps, tmp_path):
        return {"app": f"{apps}:app", "uds": str(tmp_path / "one")}

    @pytest.fixture
    def other_config(self, config, tmp_path):
        return {**config, "uds": str(tmp_path / "two")}

    @pytest.fixture
    def refused_config(self, config, tmp_path):
        return {**config, "uds": str(tmp_path / "gone" / "socket")}


@pytest.fixture
def pristine():
    """Put the root logger back, should a test have failed to."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers = handlers


@pytest.mark.usefixtures("pristine")
class TestLoggingModule(ModuleContract):
    @pytest.fixture
    def module(self):
        return LoggingModule

    @pytest.fixture
    def config(self, tmp_path):
        return {
            "level": "WARNING",
            "handlers": {
                "out": {"kind": "file", "path": str(tmp_path / "a.log")},
                "big": {"kind": "rotating", "path": str(tmp_path / "b.log")},
            },
        }

    @pytest.fixture
    def other_config(self, tmp_path):
        path = str(tmp_path / "c.log")
        return {
            "handlers": {
                "out": {"kind": "file", "path": path, "format": "%(message)s"}
            },
            "loggers": {"shop.contract": {"level": "DEBUG", "handlers": ["out"]}},
        }

    @pytest.fixture
    def refused_config(self, tmp_path):
        path = str(tmp_path / "gone" / "a.log")
        return {"handlers": {"out": {"kind": "file", "path": path}}}
