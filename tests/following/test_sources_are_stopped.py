from __future__ import annotations

import contextlib
import logging
import threading

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import InvalidConfigurationError
from midflight.testing import FakeSource
from midflight_plugins.composite import CompositeSource
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource


class Client(FakeSource):
    """A source that notes what becomes of its watch, and its stop."""

    def __init__(self, raw=None):
        super().__init__(raw)
        self.said = []

    @contextlib.contextmanager
    def _watched(self, notify):
        self.said.append("watched")
        with super()._watched(notify):
            yield
        self.said.append("left")

    @hookimpl
    def stop(self):
        self.said.append("stopped")


class Raising(Client):
    """Cannot stop."""

    @hookimpl
    def stop(self):
        super().stop()
        raise OSError("does not let go")


class Hanging(Client):
    """Does not come back from its stop."""

    end = threading.Event()

    @hookimpl
    def stop(self):
        super().stop()
        self.end.wait(20)


@pytest.fixture(autouse=True)
def _ended():
    """Let go of who hangs."""
    Hanging.end.clear()
    yield
    Hanging.end.set()


def test_is_stopped_once_after_its_watch():
    """Nobody needs a connection any more when it is closed."""
    source = Client()
    with Runtime(source, watch=True) as runtime:
        pass
    runtime.stop()

    assert source.said == ["watched", "left", "stopped"]


def test_is_stopped_after_a_start_that_failed():
    """What was opened to read a wrong configuration is closed."""
    source = Client({"modules": 5})
    with pytest.raises(InvalidConfigurationError):
        Runtime(source).start()

    assert source.said == ["stopped"]


def test_every_layer_is_stopped():
    """A composite stops its layers, required, optional and nested."""
    layers = [Client() for _ in range(4)]
    nested = CompositeSource(layers[2:])
    optional = {"source": layers[1], "optional": True}
    with Runtime([layers[0], optional, nested], watch=True):
        pass

    assert [layer.said for layer in layers] == [["watched", "left", "stopped"]] * 4


def test_the_store_of_overrides_is_stopped():
    """Who keeps the overrides lets go as well."""

    class Store(MemorySource):
        stops = 0

        @hookimpl
        def stop(self):
            self.stops += 1

    store = Store()
    with Runtime([Client(), OverridesSource(store)]):
        pass

    assert store.stops == 1


@pytest.mark.parametrize("optional", [False, True])
def test_one_that_cannot_stop_keeps_no_other(caplog, optional):
    """An exception is logged; every other layer is stopped."""
    broken, others = Raising(), [Client(), Client()]
    layer = {"source": broken, "optional": optional}
    caplog.set_level(logging.WARNING, "midflight")
    with Runtime([others[0], layer, others[1]]) as runtime:
        pass

    assert [each.said for each in (broken, *others)] == [["stopped"]] * 3
    assert "does not let go" in caplog.text
    assert not runtime.running


def test_one_that_hangs_keeps_no_runtime():
    """The runtime ends within its time, and so do its modules."""
    ended = []

    class Module:
        def __init__(self, name):
            pass

        @hookimpl
        def start(self):
            pass

        @hookimpl
        def stop(self):
            ended.append(1)

    source = Hanging({"modules": {"web": {"type": "m"}}})
    runtime = Runtime(source, modules={"m": Module}, deadline=0.2, shutdown=1.0)
    runtime.start()
    runtime.stop()

    assert source.said == ["stopped"]
    assert ended == [1]
    assert not runtime.running


@pytest.mark.parametrize("optional", [True, False])
def test_a_layer_that_hangs_keeps_no_other(optional):
    """The others are stopped."""
    broken, other = Hanging(), Client()
    layer = {"source": broken, "optional": optional}
    with Runtime([layer, other]):
        pass

    assert (broken.said, other.said) == (["stopped"], ["stopped"])


def test_a_source_of_two_runtimes_is_stopped_by_each():
    """Another runtime may have the same object, and goes on with it."""
    source = Client()
    with Runtime(source) as second:
        with Runtime(source):
            pass
        source.set({"platform": 1})
        outcome = second.reload()

    assert outcome.ok
    assert source.said == ["stopped", "stopped"]
