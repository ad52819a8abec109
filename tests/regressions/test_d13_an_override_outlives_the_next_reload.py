"""D13: a changed module was undone by the next reload, and left no history."""

from __future__ import annotations

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import ConflictError
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource, RefusedError

RATE = "modules.api.config.rate"


class Limiter:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        self.reconfigure(config)

    @hookimpl
    def reconfigure(self, config):
        if config["rate"] < 0:
            raise ValueError("a rate is not negative")
        self.rate = config["rate"]


def base(**config):
    """Return a configuration with one module."""
    return {"modules": [{"name": "api", "type": "limiter", "config": config}]}


class Unsaved(OverridesSource):
    """Does what the original did: changes the module, and nothing else."""

    runtime: Runtime

    def set(self, path, value, **_):
        self.runtime.module("api").reconfigure({"rate": value})


def survives(kind):
    """Tell whether a change outlives a reload of what lies below it."""
    below, overrides = MemorySource(base(rate=1)), kind("memory:")
    with Runtime([below, overrides], modules={"limiter": Limiter}) as runtime:
        vars(overrides)["runtime"] = runtime
        overrides.set(RATE, 5)
        below.set(base(rate=1, burst=2))
        runtime.reload()
        return runtime.module("api").rate == 5


def test_a_change_outlives_the_next_reload():
    """It is part of what the reloader wants, not only of the module."""
    assert survives(OverridesSource)
    assert not survives(Unsaved)


def test_a_change_has_a_version_and_an_author():
    """Who changed what stands in the history, and an old version is no base."""
    overrides = OverridesSource("memory:")
    overrides.set(RATE, 5, author="ada", message="rush hour")
    overrides.set(RATE, 6, expected_version=1)
    with pytest.raises(ConflictError):
        overrides.set(RATE, 7, expected_version=1)
    (first,) = Runtime(overrides).history()[1:]

    assert (first.version, first.author, first.message) == (1, "ada", "rush hour")


def test_an_invalid_change_is_not_kept():
    """It is answered with its faults, and the reloader goes on from what runs."""
    overrides = OverridesSource("memory:")
    layers = [MemorySource(base(rate=1)), overrides]
    with Runtime(layers, modules={"limiter": Limiter}) as runtime:
        with pytest.raises(RefusedError):
            overrides.set(RATE, -1)

        assert overrides.list() == ()
        assert (runtime.module("api").rate, runtime.status()["state"]) == (1, "healthy")
