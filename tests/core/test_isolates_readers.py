from __future__ import annotations

import threading
from typing import Any

import attrs
import pytest

from midflight import Applied, Document, Plan, Rejected, hookimpl
from midflight._values import FrozenDict
from midflight.errors import InvalidConfigurationError
from midflight.testing import wait_until


@attrs.frozen
class Limits:
    v: int
    double: int = 0


class Typed:
    Config = Limits

    def __init__(self, name):
        self.limits = None

    @hookimpl
    def start(self, config):
        self.limits = config

    @hookimpl
    def reconfigure(self, config):
        self.limits = config


def document(value, **sections):
    """Return one module and one section that say the same number twice."""
    pair = {"v": value, "double": 2 * value}
    module = {"name": "m1", "type": "typed", "config": pair}
    return {"modules": [module], "section": pair, **sections}


@pytest.fixture
def typed(bench):
    """Return a bench that runs one typed module."""
    bench.run(document(1), modules={"typed": Typed})
    return bench


def is_whole(snapshot):
    """Tell whether a snapshot is of one generation."""
    config = snapshot.document.modules["m1"].config
    section = snapshot.document.sections["section"]
    return config == section and config["double"] == 2 * config["v"]


def test_readers_never_see_two_generations_mixed(typed):
    """Through 500 reloads each view is one generation, and none goes back."""
    runtime = typed.runtime
    live = runtime.settings("m1", Limits)
    mixed: list[object] = []
    looks = [0, 0, 0]
    over = threading.Event()

    def look(reader):
        generation = 0
        while not over.wait(0.001):
            snapshot, current = runtime.snapshot, live.current
            if not is_whole(snapshot) or current.double != 2 * current.v:
                mixed.append((snapshot, current))
            if snapshot.generation < generation:
                mixed.append((generation, snapshot.generation))
            generation = snapshot.generation
            looks[reader] += 1

    readers = [threading.Thread(target=look, args=(at,)) for at in range(3)]
    for reader in readers:
        reader.start()
    for value in range(2, 502):
        typed.change(document(value))
    over.set()
    for reader in readers:
        reader.join()

    assert runtime.snapshot.generation == 501
    assert mixed == []
    assert all(looks)


def test_the_oracle_sees_a_mixed_snapshot(typed):
    """A snapshot of two generations would not go unseen."""
    old = typed.runtime.snapshot
    typed.change(document(2))
    new = typed.runtime.snapshot
    sections = old.document.sections
    mixed = attrs.evolve(new, document=attrs.evolve(new.document, sections=sections))

    assert is_whole(new)
    assert not is_whole(mixed)


def test_a_kept_snapshot_never_changes(typed):
    """Who holds a snapshot holds one generation for as long as wanted."""
    kept = typed.runtime.snapshot
    digest, running = kept.digest, dict(kept.running)

    typed.change(document(2))

    assert kept.generation == 1
    assert kept.digest == digest
    assert kept.document.modules["m1"].config["v"] == 1
    assert dict(kept.running) == running


def test_live_settings_are_typed_and_follow(typed):
    """A live view holds the typed value of the generation in force."""
    live = typed.runtime.settings("m1", Limits)
    kept = live.current

    typed.change(document(2))

    assert kept == Limits(1, 2)
    assert live.current == Limits(2, 4)
    assert repr(live) == "Live(name='m1')"


def test_a_live_view_shows_the_value_of_its_module(typed):
    """View and module hold equal typed values of one generation."""
    live = typed.runtime.settings("m1", Limits)

    typed.change(document(2))

    assert live.current == typed.runtime.module("m1").limits


def test_a_live_view_keeps_its_value_when_a_change_is_taken_back(bench, fail):
    """What was rolled back was never shown."""
    bench.run(bench.document(1))
    live = bench.runtime.settings("m2", Limits)
    bench.script("m5", "reconfigure", fail)

    bench.change(bench.document(2))

    assert live.current == Limits(1)


def test_settings_of_the_wrong_type_are_refused_when_bound(typed):
    """Binding says at once, with the path, what does not fit."""

    @attrs.frozen
    class Other:
        v: str

    with pytest.raises(InvalidConfigurationError, match=r"modules\.m1\.config"):
        typed.runtime.settings("m1", Other)


def test_a_change_that_does_not_fit_a_bound_view_is_refused(typed):
    """Once bound, a view's type guards its section."""
    live = typed.runtime.settings("section", Limits)
    bad = document(2) | {"section": {"v": "two"}}

    outcome = typed.change(bad)

    assert isinstance(outcome, Rejected)
    assert outcome.reason == "invalid"
    assert outcome.faults[0].path == ("section", "v")
    assert live.current == Limits(1, 2)
    assert typed.runtime.snapshot.generation == 1


def test_a_section_that_a_view_reads_restarts_no_module(typed):
    """A bound section is read: its change is no reason for a full reload."""
    live = typed.runtime.settings("section", Limits)
    before = typed.runtime.module("m1")

    outcome = typed.change(document(1) | {"section": {"v": 5}})

    assert isinstance(outcome, Applied)
    assert outcome.plan is not None
    assert outcome.plan.steps == ()
    assert typed.runtime.module("m1") is before
    assert live.current == Limits(5)


def test_a_section_that_nobody_reads_restarts_every_module(typed):
    """What nobody declares may concern anybody."""
    before = typed.runtime.module("m1")

    typed.change(document(1) | {"section": {"v": 5}})

    assert typed.runtime.module("m1") is not before


def test_a_view_bound_in_the_middle_of_a_change_is_not_left_behind(bench):
    """A view bound while a generation is exchanged shows the newer one."""
    asked, applied = threading.Event(), threading.Event()

    class Slow:
        @hookimpl(tryfirst=True)
        def structure(self, config, type):  # noqa: A002  # the hookspec's name
            if type is Limits and threading.current_thread().name == "binds":
                asked.set()
                applied.wait(5)

    bench.run(
        document(1), modules={"typed": Typed}, plugins=[Slow()], strategy="surgical"
    )
    views = []
    bind = threading.Thread(
        target=lambda: views.append(bench.runtime.settings("section", Limits)),
        name="binds",
    )
    bind.start()
    assert asked.wait(5)
    changer = threading.Thread(target=lambda: bench.change(document(2)))
    changer.start()
    changer.join(1)
    applied.set()
    bind.join(5)
    changer.join(5)

    wait_until(lambda: views[0].current == Limits(2, 4), "the newer generation")


def test_a_plan_is_of_one_generation(bench):
    """What changes while a plan is made does not get into it by half."""
    seen: list[tuple[set[str], set[str]]] = []
    waiting: list[dict[str, Any]] = []

    class Notes:
        @hookimpl
        def on_change(self, change):
            seen.append((set(change.diff.old.modules), set(change.modules)))
            return Plan.full(change.diff, "noted")

    class Moving(FrozenDict):
        def values(self):
            """Let a change come in between, when the modules are compared."""
            while waiting:
                bench.change(waiting.pop())
            return super().values()

    bench.run(bench.document(1, names=("m1",)), strategy=Notes())
    wanted = Document.from_mapping(bench.document(2, names=("m1",)))
    waiting.append(bench.document(1, names=("m1", "m2")))
    plan = bench.runtime.plan(Document(Moving(wanted.modules)))

    assert bench.runtime.snapshot.generation == 2
    assert seen[-1] == ({"m1"}, {"m1"})
    assert [step.module for step in plan.steps] == ["m1"]
