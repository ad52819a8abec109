from __future__ import annotations

import pytest

from midflight import Runtime, hookimpl
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource


class Limiter:
    """A module that refuses a rate below 0 in `prepare`, and above 99 in its step."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        self.rate = config["rate"]

    @hookimpl
    def prepare(self, config):
        if config["rate"] < 0:
            raise ValueError("a rate is not negative")

    @hookimpl
    def reconfigure(self, config):
        self.rate = config["rate"]
        if self.rate > 99:
            raise ValueError("too fast")


BASE = {"modules": [{"name": "api", "type": "limiter", "config": {"rate": 1}}]}


@pytest.fixture(params=["memory", "file", "sqlite"])
def store(request, tmp_path):
    """Return what keeps the overrides, empty."""
    uris = {
        "file": f"file:{tmp_path}/overrides.yaml",
        "sqlite": f"database:sqlite:///{tmp_path}/o.db#overrides",
    }
    return uris.get(request.param) or MemorySource()


@pytest.fixture
def overrides(store):
    """Return the layer."""
    return OverridesSource(store)


@pytest.fixture
def base():
    """Return the layer below."""
    return MemorySource(BASE)


@pytest.fixture
def make(base):
    """Return a function that makes a runtime of the base and an overrides layer."""

    def make(overrides, **options):
        return Runtime([base, overrides], modules={"limiter": Limiter}, **options)

    return make
