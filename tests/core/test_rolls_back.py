from __future__ import annotations

import asyncio
import copy

import pytest

from midflight import Applied, Failed, Health, Rejected, RolledBack, Runtime, hookimpl
from midflight.testing import FakeModule, FakeSource, wait_until


def assert_as_before(bench, value=1):
    """Hold the runtime against what it was before the change."""
    snapshot = bench.runtime.snapshot
    assert snapshot.document.modules["m1"].config["v"] == value
    assert bench.values() == {name: {"v": value} for name in snapshot.document.modules}


def assert_nothing_prepared_is_left(bench):
    """Each prepared thing was used or discarded, exactly once."""
    ends = sorted(map(id, (*bench.used, *bench.discarded)))
    assert ends == sorted(map(id, bench.prepared))


@pytest.mark.parametrize("hook", ["reconfigure", "probe"])
@pytest.mark.parametrize("kind", ["plain", "async", "parallel"])
def test_a_failed_commit_brings_every_module_back(bench, hook, kind, victim, fault):
    """Whichever of n modules fails, and however, all show their old values."""
    bench.run(bench.document(1, kind=kind))
    before = bench.runtime.snapshot
    bench.script(victim, hook, fault)

    outcome = bench.change(bench.document(2, kind=kind))

    assert isinstance(outcome, RolledBack)
    assert outcome.reason == "step_failed"
    assert bench.runtime.snapshot.digest == before.digest
    assert bench.runtime.snapshot.generation == before.generation
    assert_as_before(bench)
    assert_nothing_prepared_is_left(bench)


@pytest.mark.parametrize("kind", ["plain", "rigid", "overlapping", "async", "parallel"])
def test_a_failed_prepare_changes_nothing(bench, kind, victim, fault):
    """Where one module refuses, no other has been touched."""
    bench.run(bench.document(1, kind=kind))
    before, objects = bench.runtime.snapshot, dict(bench.runtime.snapshot.running)
    bench.script(victim, "prepare", fault)

    outcome = bench.change(bench.document(2, kind=kind))

    assert isinstance(outcome, Rejected)
    assert outcome.reason == "prepare_refused"
    assert outcome.faults[0].path[:2] == ("modules", victim)
    assert {hook for hook, _ in bench.log} <= {"prepare", "probe"}
    assert bench.runtime.snapshot is before
    assert dict(bench.runtime.snapshot.running) == objects
    assert_nothing_prepared_is_left(bench)


@pytest.mark.parametrize("kind", ["rigid", "overlapping"])
@pytest.mark.parametrize("hook", ["start", "probe"])
def test_a_failed_restart_brings_every_module_back(bench, kind, hook, victim, fault):
    """Modules that were stopped for a restart run again on the old values."""
    bench.run(bench.document(1, kind=kind))
    bench.script(victim, hook, fault)
    if hook == "probe":
        bench.script(victim, "probe", fault, value=2)

    outcome = bench.change(bench.document(2, kind=kind))

    assert isinstance(outcome, RolledBack)
    assert_as_before(bench)
    assert_nothing_prepared_is_left(bench)
    assert bench.runtime.status()["state"] == "rejected"


def test_a_failed_added_module_leaves_no_trace(bench, victim, fault):
    """A module that does not start takes the whole change with it."""
    old = ("m1",)
    bench.run(bench.document(1, names=old))
    if victim == "m1":
        bench.script(victim, "reconfigure", fault)
    bench.script(victim, "start", fault)

    outcome = bench.change(bench.document(2))

    assert isinstance(outcome, RolledBack)
    assert set(bench.runtime.snapshot.running) == {"m1"}
    assert_as_before(bench)
    started, stopped = bench.calls("start"), bench.calls("stop")
    assert stopped == started[::-1]


@pytest.mark.parametrize("hook", ["reconfigure", "probe"])
def test_a_module_that_hangs_in_a_thread_is_replaced(bench, hook, victim):
    """A step that overruns its deadline is fenced, and its module made anew."""
    bench.run(bench.document(1))
    bench.script(victim, hook, bench.hang)
    hung = bench.runtime.module(victim)

    outcome = bench.change(bench.document(2))

    assert isinstance(outcome, RolledBack)
    assert outcome.reason == "step_timeout"
    assert bench.runtime.module(victim) is not hung
    assert_as_before(bench)


def test_what_comes_back_late_has_no_effect(bench):
    """The late return of a hung step changes neither snapshot nor modules."""
    bench.run(bench.document(1))
    bench.script("m3", "reconfigure", bench.hang)
    hung = bench.runtime.module("m3")
    bench.change(bench.document(2))
    after = bench.runtime.snapshot

    bench.released.set()
    wait_until(lambda: hung.v == 2, "the late return")

    assert bench.runtime.snapshot is after
    assert_as_before(bench)


@pytest.mark.parametrize("hook", ["reconfigure", "probe"])
def test_a_module_that_hangs_in_a_coroutine_is_cancelled(bench, hook, victim):
    """A coroutine that overruns its deadline is cancelled, and all taken back."""
    cancelled = []

    async def forever(*_):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(victim)
            raise

    bench.run(bench.document(1, kind="async"), deadline=0.5)
    bench.script(victim, hook, forever)

    outcome = bench.change(bench.document(2, kind="async"))

    assert isinstance(outcome, RolledBack)
    assert outcome.reason == "step_timeout"
    assert cancelled == [victim]
    assert_as_before(bench)


def test_an_unhealthy_module_takes_the_change_back(bench, victim):
    """A module that says it does not work after its commit is believed."""
    bench.run(bench.document(1))
    sick = Health(healthy=False, detail="no water")
    bench.script(victim, "probe", lambda *_: sick)

    outcome = bench.change(bench.document(2))

    assert isinstance(outcome, RolledBack)
    assert outcome.reason == "probe_failed"
    assert "no water" in str(outcome.faults[0])
    assert_as_before(bench)


def test_a_module_that_does_not_go_back_is_made_anew(bench, victim, fail):
    """Where a module does not take its old values back, a new object does."""
    bench.run(bench.document(1))
    stubborn = bench.runtime.module(victim)
    bench.script(victim, "reconfigure", fail, value=1)
    bench.script("m5", "probe", fail, value=2)

    outcome = bench.change(bench.document(2))

    assert isinstance(outcome, RolledBack)
    assert bench.runtime.module(victim) is not stubborn
    assert_as_before(bench)


def test_what_cannot_be_brought_back_is_named(bench, victim, fault):
    """A module that comes back in no way is degraded by name, never applied."""
    bench.run(bench.document(1))
    bench.script(victim, "reconfigure", fault, value=2)
    bench.script(victim, "reconfigure", fault, value=1)
    bench.script(victim, "start", fault, value=1)

    outcome = bench.change(bench.document(2))

    assert isinstance(outcome, Failed)
    assert outcome.reason == "rollback_incomplete"
    assert outcome.degraded == (victim,)
    status = bench.runtime.status()
    assert status["state"] == "degraded"
    assert status["modules"][victim]["state"] == "degraded"
    assert not bench.runtime.probe(victim).healthy
    whole = {name: value for name, value in bench.values().items() if name != victim}
    assert all(values == {"v": 1} for values in whole.values())


def test_the_next_apply_repairs_what_is_degraded(bench, victim, fail):
    """Reverting to the running digest still mends what a failure left behind."""
    bench.run(bench.document(1))
    for hook, value in (("reconfigure", 2), ("reconfigure", 1), ("start", 1)):
        bench.script(victim, hook, fail, value=value)
    bench.change(bench.document(2))
    bench.unscript()

    outcome = bench.change(bench.document(1))

    assert isinstance(outcome, Applied)
    assert bench.runtime.status()["state"] == "healthy"
    assert_as_before(bench)


def test_a_repair_that_fails_stays_named(bench, fail):
    """While a degraded module cannot be mended, the status goes on saying so."""
    bench.run(bench.document(1))
    for hook, value in (("reconfigure", 2), ("reconfigure", 1), ("start", 1)):
        bench.script("m4", hook, fail, value=value)
    bench.change(bench.document(2))

    outcome = bench.change(bench.document(1))

    assert isinstance(outcome, Failed)
    assert "m4" in outcome.degraded
    assert bench.runtime.status()["state"] == "degraded"


def test_a_degraded_module_comes_with_the_next_change(bench, fail):
    """A change that goes through mends degraded modules on the way."""
    bench.run(bench.document(1))
    for hook, value in (("reconfigure", 2), ("reconfigure", 1), ("start", 1)):
        bench.script("m2", hook, fail, value=value)
    bench.change(bench.document(2))

    outcome = bench.change(bench.document(3))

    assert isinstance(outcome, Applied)
    assert bench.runtime.status()["state"] == "healthy"
    assert_as_before(bench, value=3)


@pytest.mark.parametrize("kind", ["rigid", "overlapping"])
def test_a_stop_that_fails_is_a_warning(bench, kind, victim, fault):
    """An old object that does not stop cleanly does not undo the change."""
    bench.run(bench.document(1, kind=kind))
    bench.script(victim, "stop", fault, value=1)

    outcome = bench.change(bench.document(2, kind=kind))

    assert isinstance(outcome, Applied)
    assert victim in " ".join(outcome.warnings)
    assert_as_before(bench, value=2)


def test_a_hanging_stop_does_not_hold_up_the_change(bench):
    """An old object that hangs in `stop` is left behind within its deadline."""
    bench.run(bench.document(1, kind="rigid"))
    bench.script("m3", "stop", bench.hang, value=1)

    outcome = bench.change(bench.document(2, kind="rigid"))

    assert isinstance(outcome, Applied)
    assert_as_before(bench, value=2)


def test_a_failed_first_start_stops_what_was_started(bench, victim, fault):
    """A runtime that cannot start leaves no module running."""
    runtime = bench.make(bench.document(1))
    bench.script(victim, "start", fault, value=1)

    with pytest.raises(Exception, match=victim):
        runtime.start()

    assert bench.calls("stop") == bench.calls("start")[::-1]
    assert not runtime.running
    assert runtime.status()["state"] in {"starting", "stopped"}


def test_a_rollback_is_not_a_new_generation(bench, fail):
    """The generation counts what was applied, not what was tried."""
    bench.run(bench.document(1))
    bench.script("m5", "reconfigure", fail)

    bench.change(bench.document(2))
    outcome = bench.change(bench.document(3))

    assert outcome.generation == 2
    assert bench.runtime.snapshot.generation == 2


def test_the_oracle_sees_a_forgotten_undo(bench):
    """A module that keeps the new value after a failure would not go unseen."""
    bench.run(bench.document(1))
    bench.runtime.module("m2").v = 2

    with pytest.raises(AssertionError):
        assert_as_before(bench)


def test_the_oracle_sees_a_lost_prepared_thing(bench, fail):
    """A prepared thing that nobody uses or discards would not go unseen."""
    bench.run(bench.document(1))
    bench.script("m5", "prepare", fail)
    bench.change(bench.document(2))
    kept = copy.copy(bench.discarded)
    bench.discarded.pop()

    with pytest.raises(AssertionError):
        assert_nothing_prepared_is_left(bench)

    bench.discarded[:] = [*kept, kept[0]]
    with pytest.raises(AssertionError):
        assert_nothing_prepared_is_left(bench)


def test_what_cannot_be_made_again_is_stopped_once():
    """An object that was stopped to go back to is not stopped again for its heir."""
    stops: list[int] = []

    class Thrice(FakeModule):
        made = 0

        def __init__(self, name):
            super().__init__(name)
            Thrice.made += 1
            self.number = Thrice.made
            if self.number == 3:
                msg = "no memory for a third"
                raise MemoryError(msg)

        @hookimpl
        def reconfigure(self, config):
            raise NotImplementedError

        @hookimpl
        def start(self, config):
            if config["v"] == 2:
                raise ValueError(config)

        @hookimpl
        def stop(self):
            stops.append(self.number)

    entry = {"name": "one", "type": "thrice", "config": {"v": 1}}
    source = FakeSource({"modules": [entry]})
    with Runtime(source, modules={"thrice": Thrice}, strategy="full") as runtime:
        source.set({"modules": [entry | {"config": {"v": 2}}]})
        outcome = runtime.reload()

        assert outcome.degraded == ("one",)
        assert stops == [1, 2]
