"""D4: a failed apply was never retried, here of a row that does not change again."""

from __future__ import annotations

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import TransientError
from midflight.testing import FakeModule, wait_until
from midflight_plugins.database import DatabaseSource


class Busy(FakeModule):
    """Takes its second configuration only at the third time of asking."""

    refusals = 2

    @hookimpl
    def prepare(self, config):
        if config["v"] == 2 and self.refusals:
            self.refusals -= 1
            raise TransientError("busy")


def text(value):
    """Return the document with that value."""
    return f"modules: [{{name: m, type: busy, config: {{v: {value}}}}}]\n"


def assert_applied(tick, module):
    """The row comes into force, without another change of it."""
    wait_until(lambda: tick() or module.config["v"] == 2, "the row", 2.0)


def test_a_row_that_failed_is_tried_again_as_it_stands(database_url, original):
    """A change that failed for now is applied later, though no look finds any news."""
    system = original(database_url)
    system.create()
    system.put("default", text(1))
    source = DatabaseSource.from_uri(f"{database_url}?poll=0.05")
    with Runtime(
        source, modules={"busy": Busy}, watch=True, sweep=0.2, backoff=0.2
    ) as runtime:
        system.put("default", text(2))

        assert_applied(lambda: None, runtime.module("m"))
        assert not runtime.module("m").refusals


class AdvancesWhateverHappens:
    """The broken variant: what was seen counts as done."""

    def __init__(self, system, module):
        self.system, self.module, self.seen = system, module, 1

    def tick(self):
        head = self.system.head("default")
        if head.version != self.seen:
            self.seen = head.version
            self.module.prepare({"v": 2})
            self.module.config = {"v": 2}


def test_the_oracle_sees_a_version_that_counts_as_done(sqlite_url, original):
    """The original's rule would not go unseen."""
    system, module = original(sqlite_url), Busy("m")
    module.config = {"v": 1}
    system.create()
    system.put("default", text(1))
    broken = AdvancesWhateverHappens(system, module)
    system.put("default", text(2))
    with pytest.raises(TransientError):
        broken.tick()

    with pytest.raises(AssertionError):
        assert_applied(broken.tick, module)
