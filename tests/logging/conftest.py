from __future__ import annotations

import logging
from typing import Any

import pytest

from midflight import Outcome, Runtime, hookimpl
from midflight_plugins.logging import LoggingModule


class Source:
    """A source that holds what the test says."""

    def __init__(self) -> None:
        self.modules: dict[str, Any] = {}

    @hookimpl
    def load(self):
        return {"modules": self.modules}


class Log:
    """A running `logging` module and the way to change it."""

    def __init__(self, fragile: Any) -> None:
        self.source, self.fragile = Source(), fragile
        modules: dict[str, Any] = {"logging": LoggingModule, "fragile": fragile}
        self.runtime = Runtime(self.source, modules=modules)

    def start(self, **config: Any) -> None:
        """Start with a configuration."""
        self._set(config)
        self.runtime.start()

    def change(self, failing: str = "", **config: Any) -> Outcome:
        """Change the configuration, with another module that fails in a hook."""
        if failing:
            other = {"type": "fragile", "dependsOn": ["log"]}
            self.source.modules = {
                **self.source.modules,
                "other": {**other, "config": {"a": 1}},
            }
            assert self.runtime.reload().ok
            self.fragile.fails = failing
            self._set(config)
            self.source.modules["other"] = {**other, "config": {"a": 2}}
        else:
            self._set(config)
        return self.runtime.reload()

    def _set(self, config: dict[str, Any]) -> None:
        self.source.modules = {"log": {"type": "logging", "config": config}}

    @property
    def values(self) -> dict[str, Any]:
        return dict(self.runtime.probe("log").values)


@pytest.fixture(autouse=True)
def pristine():
    """Put the root logger back, should a test have failed to; keep ours out of it."""
    root, ours = logging.getLogger(), logging.getLogger("midflight")
    level, handlers = root.level, list(root.handlers)
    ours.propagate = False
    yield
    ours.propagate = True
    root.setLevel(level)
    root.handlers = handlers


@pytest.fixture
def log(fragile):
    """A module that the test starts; it is stopped after the test."""
    log = Log(fragile)
    yield log
    log.runtime.stop()
