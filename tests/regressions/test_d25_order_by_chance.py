"""D25: modules were reconfigured in random order, ignoring `dependsOn`."""

from __future__ import annotations

import random

import pytest

from midflight import Document, Runtime, hookimpl
from midflight.testing import FakeModule, FakeSource

NEEDS = {
    "web": ["pool", "log"],
    "pool": ["log"],
    "log": [],
    "jobs": ["pool"],
    "mail": ["jobs", "web"],
}


def document(value, names):
    """Return what the source holds."""
    modules = [
        {"name": name, "type": "fake", "config": {"v": value}, "dependsOn": NEEDS[name]}
        for name in names
    ]
    return {"modules": modules}


def assert_needs_first(order):
    """Each module comes after everything it depends on."""
    assert sorted(order) == sorted(NEEDS)
    for at, name in enumerate(order):
        assert set(NEEDS[name]) <= set(order[:at])


@pytest.mark.parametrize("seed", range(10))
def test_what_is_needed_is_changed_first(seed):
    """However the file is ordered, dependencies decide, and the end is the reverse."""
    names = list(NEEDS)
    random.Random(seed).shuffle(names)
    order: dict[str, list[str]] = {"start": [], "reconfigure": [], "stop": []}

    class Notes(FakeModule):
        @hookimpl
        def start(self, config):
            order["start"].append(self.name)

        @hookimpl
        def reconfigure(self, config):
            order["reconfigure"].append(self.name)

        @hookimpl
        def stop(self):
            order["stop"].append(self.name)

    source = FakeSource(document(1, names))
    with Runtime(source, modules={"fake": Notes}) as runtime:
        source.set(document(2, names))
        runtime.reload()

    assert_needs_first(order["start"])
    assert_needs_first(order["reconfigure"])
    assert_needs_first(order["stop"][::-1])


@pytest.mark.parametrize("seed", range(10))
def test_what_is_removed_is_planned_and_stopped_dependents_first(seed):
    """However the file was ordered, nothing is stopped that another still needs."""
    names = list(NEEDS)
    random.Random(seed).shuffle(names)
    stopped = []

    class Notes(FakeModule):
        @hookimpl
        def stop(self):
            stopped.append(self.name)

    source = FakeSource(document(1, names))
    with Runtime(source, modules={"fake": Notes}) as runtime:
        plan = runtime.plan(Document())
        source.set({"modules": []})
        runtime.reload()

    assert_needs_first([step.module for step in plan.steps][::-1])
    assert_needs_first(stopped[::-1])


def test_the_oracle_sees_an_order_by_chance():
    """The original's order, that of a hash map, would not go unseen."""
    caught = 0
    for seed in range(50):
        order = list(NEEDS)
        random.Random(seed).shuffle(order)
        try:
            assert_needs_first(order)
        except AssertionError:
            caught += 1

    assert caught > 25
