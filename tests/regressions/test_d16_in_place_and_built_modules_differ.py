"""D16: modules reconfigured in place got `${…}` as it stood, built ones its value."""

from __future__ import annotations

import pytest

from midflight import Runtime, hookimpl
from midflight.testing import FakeSource


class Keeps:
    def __init__(self, name):
        self.hosts = []

    @hookimpl
    def prepare(self, config):
        self.hosts.append(config["host"])

    @hookimpl
    def start(self, config):
        self.hosts.append(config["host"])

    @hookimpl
    def reconfigure(self, config, previous):
        self.hosts += [previous["host"], config["host"]]


class Raw(Keeps):
    """The original's rule: what it takes in place is what stands in the file."""

    @hookimpl
    def reconfigure(self, config, runtime):
        document = runtime.snapshot.loaded.document
        self.hosts.append(document.modules["m"].config["host"])


def config(port):
    """Return a configuration with a reference and something that changes."""
    entry = {"host": "${D16_HOST}", "port": port}
    return {"modules": [{"name": "m", "type": "keeps", "config": entry}]}


def assert_sees_values_only(kind, monkeypatch):
    """The oracle: started, reconfigured and asked for, it is the value each time."""
    monkeypatch.setenv("D16_HOST", "db.example")
    source = FakeSource(config(1))
    with Runtime(source, modules={"keeps": kind}) as runtime:
        source.set(config(2))
        assert runtime.reload().ok
        assert runtime.snapshot.document.modules["m"].config["host"] == "db.example"
        assert set(runtime.module("m").hosts) == {"db.example"}, "saw the reference"


def test_built_and_reconfigured_modules_get_the_same(monkeypatch):
    """`prepare`, `start` and `reconfigure` see the value of a reference."""
    assert_sees_values_only(Keeps, monkeypatch)


def test_the_oracle_sees_a_module_that_gets_the_reference(monkeypatch):
    """The original's rule fails it."""
    with pytest.raises(AssertionError, match="saw the reference"):
        assert_sees_values_only(Raw, monkeypatch)
