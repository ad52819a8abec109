"""D21: what could not be read was not looked at again without another event."""

from __future__ import annotations

import pytest

from midflight import Runtime
from midflight.errors import Code, Fault, InvalidConfigurationError
from midflight.testing import FakeModule, FakeSource, FakeSystem, wait_until

TORN = InvalidConfigurationError(Fault(Code.E_SYNTAX, "the file ends too early"))


def document(value):
    """Return what the source holds."""
    return {"modules": [{"name": "m", "type": "fake", "config": {"v": value}}]}


class OnlyEvents:
    """The broken variant: looks when an event comes, and never else."""

    def __init__(self, source):
        self.source, self.value = source, 1
        self.source.watch(self.look).__enter__()

    def look(self):
        try:
            self.value = self.source.load().document["modules"][0]["config"]["v"]
        except InvalidConfigurationError:
            return


def write_in_two(source):
    """Write half a file with an event, then the rest without one."""
    source.fail(TORN)
    source.hints = 0
    source.set(document(2))


def assert_converges(value, elapse):
    """The whole file is in force some time later."""
    for _ in range(5):
        elapse()
    assert value() == 2


def test_a_torn_file_is_looked_at_again():
    """The sweep finds the rest of a write that no event told."""
    source, system = FakeSource(document(1)), FakeSystem()
    types = {"fake": FakeModule}
    with Runtime(source, modules=types, watch=True, system=system) as runtime:
        source.fail(TORN)
        runtime.reload()
        refused = runtime.status()
        write_in_two(source)

        def elapse():
            looks = source.hashes + source.loads
            system.advance(31)
            wait_until(lambda: source.hashes + source.loads > looks, "a look")
            wait_until(lambda: not runtime._reloader._busy, "its end")

        assert_converges(lambda: runtime.module("m").config["v"], elapse)
        assert refused["state"] != "healthy"
        assert runtime.status()["state"] == "healthy"


def test_the_oracle_sees_a_loop_driven_by_events_alone():
    """The original's way stays on the old content, and would not go unseen."""
    source = FakeSource(document(1))
    broken = OnlyEvents(source)
    write_in_two(source)

    with pytest.raises(AssertionError):
        assert_converges(lambda: broken.value, lambda: None)
