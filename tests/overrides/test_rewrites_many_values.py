"""Many values are changed at once, by what is stored, and kept all or none."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from midflight import Plan, Runtime, hookimpl
from midflight.errors import MidflightError, StoppedError
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource, RefusedError

from .conftest import BASE, Limiter

RATE = ("modules", "api", "config", "rate")
DUE = 30.0  # s


def to(rate, **sections):
    """Return a change that sets the rate, and sections."""

    def change(tree, _version):
        return {**tree, **sections, "modules": {"api": {"config": {"rate": rate}}}}

    return change


def test_values_are_set_together(overrides, make):
    """All are in force when it returns, and it tells what is stored since."""
    with make(overrides) as runtime:
        written = overrides.rewrite(to(5, limits={"x": 1}), author="ada", message="why")

        assert (written.state, written.generation, written.changed) == (
            "applied", 2, True,
        )  # fmt: skip
        assert runtime.module("api").rate == 5
        assert runtime.snapshot.document.sections["limits"] == {"x": 1}
    assert written.tree == overrides.head().tree
    assert written.version == overrides.head().version


def test_it_is_given_what_is_stored(overrides, make):
    """As plain mappings, modules by name, with the version; `None` if nothing is."""
    seen: list[Any] = []

    def change(tree, version):
        seen.append((tree, version))
        return {"limits": {"x": len(seen)}}

    with make(overrides):
        written = overrides.rewrite(change)
        overrides.rewrite(change)

    assert seen == [({}, None), ({"limits": {"x": 1}}, written.version)]
    assert overrides.head().tree == {"limits": {"x": 2}}


def test_what_it_raises_ends_the_write(overrides, make):
    """And nothing is stored."""

    def change(_tree, _version):
        raise LookupError("not like this")

    with make(overrides) as runtime:
        with pytest.raises(LookupError, match="not like this"):
            overrides.rewrite(change)

        assert runtime.snapshot.generation == 1
    assert overrides.head().tree == {}


def test_what_is_refused_is_taken_back_whole(overrides, make):
    """Also the values that were good."""
    with make(overrides) as runtime:
        overrides.rewrite(to(5, limits={"x": 1}))
        before = overrides.head().tree
        with pytest.raises(RefusedError):
            overrides.rewrite(to(-1, limits={"x": 2}, more=[1]))

        assert overrides.head().tree == before
        assert runtime.module("api").rate == 5
        assert runtime.status()["state"] == "healthy"


class Meanwhile(Limiter):
    """While a bad rate is refused, somebody else changes the same store."""

    other: Any = None

    @hookimpl
    def prepare(self, config):
        if config["rate"] < 0:
            self.other()
            raise ValueError("a rate is not negative")


@pytest.mark.parametrize("path", ["limits.y", "limits.x"])
def test_a_change_of_somebody_else_stays(store, base, path):
    """What is taken back are the values of the refused change, unless they are his."""
    overrides = OverridesSource(store)
    kind: Any = type("Kind", (Meanwhile,), {})
    with Runtime([base, overrides], modules={"limiter": kind}):
        overrides.rewrite(to(5, limits={"x": 1}))
        kind.other = staticmethod(lambda: overrides.set(path, 9))
        with pytest.raises(RefusedError) as caught:
            overrides.rewrite(to(-1, limits={"x": 2}))
    tree = overrides.head().tree

    if path == "limits.y":
        assert tree["limits"] == {"x": 1, "y": 9}
        assert tree["modules"]["api"]["config"] == {"rate": 5}
    else:
        assert tree["limits"] == {"x": 9}
        assert "others have changed" in str(caught.value.__notes__)


def test_a_plan_that_is_held_is_carried_out_if_just_that_is_meant(overrides, base):
    """`approves` is the digest of what was looked at."""

    class Holds:
        @hookimpl
        def on_change(self, change):
            return Plan.hold(Plan.full(change.diff).steps, "wait for the night")

    modules = {"limiter": Limiter}
    with Runtime([base, overrides], modules=modules, strategy=Holds()) as runtime:
        waits = overrides.rewrite(to(5))
        digest = runtime.status()["desired"]
        other = overrides.rewrite(to(6), approves=digest)
        before = runtime.module("api").rate
        done = overrides.rewrite(to(5), approves=digest)

        assert (waits.state, other.state, done.state) == ("held", "held", "applied")
        assert (before, runtime.module("api").rate) == (1, 5)


def test_nothing_is_kept_while_the_runtime_stops(overrides, base):
    """Nobody could judge it: it is taken back, and the caller is told."""
    stopping, go = threading.Event(), threading.Event()

    class Lingers(Limiter):
        @hookimpl
        def stop(self):
            stopping.set()
            go.wait(DUE)

    errors: list[MidflightError] = []
    with Runtime([base, overrides], modules={"limiter": Lingers}) as runtime:
        thread = threading.Thread(target=runtime.stop)
        thread.start()
        assert stopping.wait(DUE)
        try:
            overrides.set(RATE, 5)
        except StoppedError as exc:
            errors.append(exc)
        go.set()
        thread.join(DUE)

    assert len(errors) == 1
    assert overrides.head().tree == {}


def test_a_path_is_read_as_set_reads_it(overrides):
    """For who wants to know what it leads to."""
    assert overrides.keys('modules."a.b".config') == ("modules", "a.b", "config")


def test_a_module_that_hangs_does_not_keep_who_writes():
    """Whoever watches the store, its hint is not served on the writer's thread."""
    free = threading.Event()

    class Stuck(Limiter):
        @hookimpl
        def reconfigure(self, config):
            if config["rate"] == 7:
                free.wait(DUE)

    overrides, ended = OverridesSource(), []

    def write(rate):
        try:
            ended.append(overrides.set(RATE, rate).state)
        except RefusedError as exc:
            ended.append(str(exc.faults[0].code))

    base = MemorySource(BASE)
    modules, layers = {"limiter": Stuck}, [base, overrides]
    with Runtime(layers, modules=modules, watch=True, deadline=0.2):
        for rate in (7, 8):
            writer = threading.Thread(target=write, args=(rate,), daemon=True)
            writer.start()
            writer.join(DUE / 2)
        free.set()

    assert ended == ["E_TIMEOUT", "applied"]
