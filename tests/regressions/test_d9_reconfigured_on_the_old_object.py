"""D9: a module whose type or `dependsOn` changed was reconfigured on its old object."""

from __future__ import annotations

import pytest

from midflight import Failed, Plan, Reconfigure, Runtime, hookimpl
from midflight.testing import FakeModule, FakeSource


class Other(FakeModule):
    """Another type under the same name."""


TYPES = {"fake": FakeModule, "other": Other}


def document(kind="fake", needs=()):
    """Return what the source holds."""
    modules = [
        {"name": "a", "type": "fake"},
        {"name": "b", "type": "fake"},
        {"name": "m", "type": kind, "dependsOn": list(needs), "config": {"v": 1}},
    ]
    return {"modules": modules}


CHANGES = {"type": document("other"), "dependsOn": document(needs=["b"])}


class ReconfiguresAnyway:
    """The broken variant: any modified module is reconfigured in place."""

    @hookimpl
    def on_change(self, change):
        return Plan(tuple(Reconfigure(name) for name in change.diff.modified))


@pytest.mark.parametrize("changed", CHANGES)
@pytest.mark.parametrize("strategy", ["surgical", "partial", "full"])
def test_a_new_identity_is_a_new_object(changed, strategy):
    """A changed type or dependency gives a module a new object."""
    source = FakeSource(document(needs=["a"]))
    with Runtime(source, modules=TYPES, strategy=strategy) as runtime:
        before = runtime.module("m")
        source.set(CHANGES[changed])
        outcome = runtime.reload()
        after = runtime.module("m")

        assert outcome.ok
        assert after is not before
        assert type(after) is TYPES[CHANGES[changed]["modules"][2]["type"]]
        assert before.config is None


@pytest.mark.parametrize("changed", CHANGES)
def test_the_core_refuses_a_plan_that_keeps_the_old_object(changed):
    """The original's rule, as a strategy, is caught before anything is touched."""
    source = FakeSource(document(needs=["a"]))
    with Runtime(source, modules=TYPES, strategy=ReconfiguresAnyway()) as runtime:
        before = runtime.module("m")
        source.set(CHANGES[changed])
        outcome = runtime.reload()

        assert isinstance(outcome, Failed)
        assert outcome.faults[0].code == "E_PLAN"
        assert "`reconfigure` for module `m`" in outcome.faults[0].message
        assert runtime.module("m") is before
        assert runtime.snapshot.generation == 1
