"""D7: one hung module stopped every later reload, and `Stop()` with it."""

from __future__ import annotations

import threading

import pytest

from midflight import Applied, RolledBack, Runtime, hookimpl
from midflight.testing import FakeModule, FakeSource


@pytest.fixture
def hanging():
    """Return a module class that hangs on the value 2 until the test is over."""
    released = threading.Event()

    class Hangs(FakeModule):
        @hookimpl
        def reconfigure(self, config):
            if config["v"] == 2:
                released.wait(20)
            self.config = config

    yield Hangs
    released.set()


def document(hangs, other):
    """Return what the source holds."""
    values = {"hangs": hangs, "other": other}
    modules = [
        {"name": name, "type": name, "config": {"v": value}}
        for name, value in values.items()
    ]
    return {"modules": modules}


def assert_ends(call, seconds=10):
    """A call comes to its end by itself; what it returned."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it hangs"
    return answers[0]


def test_a_hung_module_stops_neither_reloads_nor_the_end(hanging):
    """Its deadline ends the attempt; the others go on, and so does the shutdown."""
    source = FakeSource(document(1, 1))
    types = {"hangs": hanging, "other": FakeModule}
    runtime = Runtime(source, modules=types, deadline=0.5, shutdown=5)
    runtime.start()
    source.set(document(2, 1))
    hung = assert_ends(runtime.reload)
    source.set(document(1, 3))
    next_one = assert_ends(runtime.reload)
    other = runtime.module("other").config["v"]
    assert_ends(runtime.stop)

    assert isinstance(hung, RolledBack)
    assert isinstance(next_one, Applied)
    assert other == 3
    assert not runtime.running


def test_the_oracle_sees_a_reload_without_a_deadline(hanging):
    """The original's plain call under a lock hangs, and would not go unseen."""
    lock, module = threading.Lock(), hanging("hangs")

    def reload():
        with lock:
            module.reconfigure({"v": 2})

    with pytest.raises(AssertionError, match="it hangs"):
        assert_ends(reload, seconds=0.2)
    with pytest.raises(AssertionError, match="it hangs"):
        assert_ends(lock.acquire, seconds=0.2)
