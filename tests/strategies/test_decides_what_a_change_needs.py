from __future__ import annotations

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import Code
from midflight.testing import FakeModule, FakeSource


class Live(FakeModule):
    sections = ("platform",)


class Rigid:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self):
        pass


TYPES = {"live": Live, "rigid": Rigid}


def document(*modules, **sections):
    """Return a configuration; a module is `name`, `type`, then what it depends on."""
    entries = [
        {"name": name, "type": kind, "config": {"n": n}, "dependsOn": list(needs)}
        for name, kind, n, *needs in modules
    ]
    return {"modules": entries, **sections}


def plan(strategy, old, new):
    """Return the verdict and the steps that a strategy gives a change."""
    runtime = Runtime(FakeSource(old), modules=TYPES, strategy=strategy)
    before, _ = runtime.read()
    after, _ = Runtime(FakeSource(new), modules=TYPES).read()
    return runtime.plan(after, base=before)


def steps(strategy, old, new):
    """Return the steps as (action, module)."""
    return [(step.action, step.module) for step in plan(strategy, old, new).steps]


A1, A2 = ("a", "live", 1), ("a", "live", 2)
B1, B2 = ("b", "rigid", 1), ("b", "rigid", 2)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ([A1, B1], [A2, B1], [("reconfigure", "a")]),
        ([A1, B1], [A1, B2], [("restart", "b")]),
        ([A1], [A1, B1], [("start", "b")]),
        ([A1, B1], [A1], [("stop", "b")]),
        ([A1], [("a", "rigid", 1)], [("restart", "a")]),
        ([A1, B1], [(*A1, "b"), B1], [("restart", "a")]),
        ([(*A1, "b"), B1], [(*A1, "b"), B2], [("restart", "b"), ("restart", "a")]),
        ([A1, (*B1, "a")], [A2, (*B1, "a")], [("reconfigure", "a")]),
    ],
)
def test_surgical_touches_only_what_changed(old, new, wanted):
    """Reconfigure what can, restart what cannot and what depends on it."""
    assert steps("surgical", document(*old), document(*new)) == wanted


def test_surgical_gives_a_section_to_its_readers():
    """A changed section touches the modules that declare it, and no other."""
    old, new = document(A1, B1, platform={"x": 1}), document(A1, B1, platform={"x": 2})

    assert steps("surgical", old, new) == [("reconfigure", "a")]


def test_surgical_reloads_fully_for_a_section_that_none_reads():
    """What nobody declares may concern everybody."""
    old, new = document(A1, B1, triggers={"x": 1}), document(A1, B1, triggers={"x": 2})

    assert steps("surgical", old, new) == [("restart", "a"), ("restart", "b")]


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (document(A1, B1), document(A2, B1), [("reconfigure", "a")]),
        (document(A1, B1), document(A2, B2), [("restart", "a"), ("restart", "b")]),
        (document(A1), document(A1, B1), [("restart", "a"), ("start", "b")]),
        (document(A1, B1), document(A1), [("stop", "b"), ("restart", "a")]),
        (document(A1, platform=1), document(A1, platform=2), [("restart", "a")]),
        (document(A1), document(("a", "rigid", 1)), [("restart", "a")]),
    ],
)
def test_partial_follows_the_rule_of_the_original_design(old, new, wanted):
    """Only reconfigurable modules modified: those; anything else: everything."""
    assert steps("partial", old, new) == wanted


def test_full_restarts_everything():
    """Whatever changed, all modules start anew, in order."""
    old, new = document(A1, B1), document(A2, B1)

    assert steps("full", old, new) == [("restart", "a"), ("restart", "b")]


def test_hold_makes_the_plan_and_waits():
    """The plan is the surgical one; its verdict is to hold."""
    held = plan("hold", document(A1, B1), document(A2, B1))

    assert held.verdict == "hold"
    assert [(step.action, step.module) for step in held.steps] == [("reconfigure", "a")]


def test_guarded_refuses_to_remove_most_modules():
    """More than half gone is a blast; half is not."""
    some = [(name, "live", 1) for name in "abcd"]
    blast = plan("guarded", document(*some), document(*some[:1]))

    assert (blast.verdict, blast.code) == ("refuse", Code.E_BLAST)
    assert plan("guarded", document(*some), document(*some[:2])).verdict == "apply"


def test_a_held_plan_is_carried_out_once_it_is_approved():
    """Until `approve`, what runs stays; a plan that has moved is not approved."""
    source = FakeSource(document(A1))
    with Runtime(source, modules=TYPES, strategy="hold") as runtime:
        source.set(document(A2))
        held = runtime.reload()
        stale = runtime.approve("another digest")
        still = runtime.snapshot.generation
        applied = runtime.approve(held.digest)

    assert (held.name, stale.name, still) == ("held", "held", 1)
    assert applied.name == "applied"
    assert runtime.snapshot.document.modules["a"].config["n"] == 2
