"""D4: the seen hash advanced whatever the outcome: a failed apply was never retried."""

from __future__ import annotations

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import TransientError
from midflight.testing import FakeModule, FakeSource, FakeSystem, wait_until


class Flaky(FakeModule):
    """Fails once, for now."""

    failures = 1

    @hookimpl
    def prepare(self, config):
        if config["v"] == 2 and self.failures:
            self.failures -= 1
            raise TransientError("busy")


def document(value):
    """Return what the source holds."""
    return {"modules": [{"name": "m", "type": "flaky", "config": {"v": value}}]}


class AdvancesWhateverHappens:
    """The broken variant: what was seen counts as done."""

    def __init__(self, source, module):
        self.source, self.module, self.seen = source, module, source.hash()

    def tick(self):
        if (token := self.source.hash()) != self.seen:
            self.seen = token
            config = self.source.load().document["modules"][0]["config"]
            try:
                self.module.prepare(config)
            except TransientError:
                return
            self.module.reconfigure(config)


def assert_converges(tick, module):
    """Within a few looks the module runs the last content."""
    for _ in range(5):
        tick()
    assert module().config["v"] == 2


def test_a_failed_apply_is_tried_again_on_the_same_content():
    """A change that failed for now is applied later, without another change."""
    source, system = FakeSource(document(1)), FakeSystem()
    modules = {"flaky": Flaky}
    with Runtime(source, modules=modules, watch=True, system=system) as runtime:
        source.hints = 0
        source.set(document(2))
        assert runtime.reload().transient

        def tick():
            hashes = source.hashes
            system.advance(6)
            wait_until(lambda: source.hashes > hashes, "a look")
            wait_until(lambda: not runtime._reloader._busy, "its end")

        assert_converges(tick, lambda: runtime.module("m"))


def test_the_oracle_sees_a_hash_that_advances_on_failure():
    """The original's rule would not go unseen."""
    source, module = FakeSource(document(1)), Flaky("m")
    module.config = {"v": 1}
    broken = AdvancesWhateverHappens(source, module)
    source.set(document(2))

    with pytest.raises(AssertionError):
        assert_converges(broken.tick, lambda: module)
