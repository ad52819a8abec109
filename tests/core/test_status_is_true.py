"""What a status says is so, at each moment of a runtime's life."""

from __future__ import annotations

import json
import threading

import pytest

from midflight import Applied, Held, Rejected, RolledBack, Runtime
from midflight._system import System
from midflight.errors import Code, Fault, InvalidConfigurationError, StoppedError
from midflight.testing import FakeSource, wait_until


@pytest.mark.parametrize("watch", [False, True])
def test_a_start_is_one_attempt(bench, watch):
    """Starting looks once, and the outcome says that it started."""
    runtime = bench.make(bench.document(1, names=("m1",)), watch=watch)

    outcome = runtime.start()

    assert isinstance(outcome, Applied)
    assert outcome.reason == "started"
    assert bench.source.loads == 1


def test_a_start_that_failed_has_stopped(bench, fail):
    """After a start that failed nothing is starting any more."""
    bench.script("m1", "start", fail, 1)
    runtime = bench.make(bench.document(1, names=("m1",)))
    with pytest.raises(Exception, match="m1"):
        runtime.start()

    assert runtime.status()["state"] == "stopped"


def test_after_a_stop_no_module_runs(bench):
    """A stopped runtime shows its modules as stopped, and none as healthy."""
    runtime = bench.run(bench.document(1, names=("m1", "m2")))
    runtime.stop()

    states = {m["state"] for m in runtime.status()["modules"].values()}

    assert runtime.status()["state"] == "stopped"
    assert states == {"stopped"}
    assert not runtime.probe("m1").healthy


def test_a_stop_that_overtakes_the_start_is_named():
    """A runtime stopped before its first look says so, and blames no content."""
    waits = threading.Event()

    def stop():
        runtime.stop()

    stopper = threading.Thread(target=stop, daemon=True)

    def wait(condition, timeout):
        if threading.current_thread() is stopper:
            waits.set()
        System().wait(condition, timeout)

    def spawn(name, target):
        if name == "midflight":
            stopper.start()
            assert waits.wait(5)
        System().spawn(name, target)

    source = FakeSource({"modules": []})
    runtime = Runtime(source, system=System(wait=wait, spawn=spawn))

    with pytest.raises(StoppedError, match="stopped while it started"):
        runtime.start()


def test_the_same_stored_again_is_the_version_in_force(bench):
    """What was read last is known though nothing came of it; no generation is made."""
    runtime = bench.run(bench.document(1, names=("m1",)))
    first = runtime.snapshot
    outcome = bench.change(bench.document(1, names=("m1",)))

    assert outcome.reason == "same_digest"
    assert runtime.status()["sources"][0]["version"] == first.version + 1
    assert runtime.snapshot.loaded.version == first.version + 1
    assert (runtime.snapshot.generation, runtime.snapshot.at) == (1, first.at)


def test_what_is_held_hides_no_older_refusal(bench):
    """A change that waits for approval takes the place of one that was refused."""
    runtime = bench.run(bench.document(1, names=("m1",)), strategy="hold")
    assert isinstance(bench.change({"modules": 5}), Rejected)
    outcome = bench.change(bench.document(2, names=("m1",)))

    status = runtime.status()

    assert isinstance(outcome, Held)
    assert status["rejected"] is None
    assert status["state"] == "healthy"
    assert status["held"] == ["reconfigure m1"]


def test_what_is_refused_is_held_no_longer(bench):
    """A plan that waited is gone once other content is wanted."""
    runtime = bench.run(bench.document(1, names=("m1",)), strategy="hold")
    bench.change(bench.document(2, names=("m1",)))
    assert runtime.status()["held"]
    bench.change({"modules": 5})

    assert runtime.status()["held"] is None
    assert runtime.status()["state"] == "rejected"


def test_an_approval_that_comes_too_late_is_spent(bench):
    """An approval of content that has gone is not kept for its return."""
    runtime = bench.run(bench.document(1, names=("m1",)), strategy="hold")
    bench.change(bench.document(2, names=("m1",)))
    looked_at = runtime.status()["desired"]
    bench.change(bench.document(3, names=("m1",)))
    assert isinstance(runtime.approve(looked_at), Held)

    outcome = bench.change(bench.document(2, names=("m1",)))

    assert isinstance(outcome, Held)
    assert bench.value() == 1


def test_a_foreign_text_is_short_and_plain(bench):
    """What a module's exception says can neither flood nor forge a status."""

    def shout(_module, _config):
        raise ValueError("\x1b[31m\0\ud800\n" + "x" * 100_000)

    runtime = bench.run(bench.document(1, names=("m1",)))
    bench.script("m1", "reconfigure", shout)
    outcome = bench.change(bench.document(2, names=("m1",)))

    message = outcome.faults[0].message

    assert isinstance(outcome, RolledBack)
    assert len(message) <= 250
    assert message.isprintable()
    assert json.dumps(runtime.status(), ensure_ascii=False).encode()


def test_a_refusal_in_the_commit_keeps_its_faults(bench):
    """Faults that a module raises while it is changed keep their code and path."""

    def refuse(_module, _config):
        raise InvalidConfigurationError(Fault(Code.E_RANGE, "too much", ("rate",)))

    bench.run(bench.document(1, names=("m1",)))
    bench.script("m1", "reconfigure", refuse)
    outcome = bench.change(bench.document(2, names=("m1",)))

    assert [(fault.code, fault.path) for fault in outcome.faults] == [
        (Code.E_RANGE, ("modules", "m1", "config", "rate"))
    ]


def test_a_degraded_overlapping_module_stays_named(bench, fail):
    """One that is dead is named again when the change that repairs it fails."""

    def document(value):
        raw = bench.document(value, names=("m1", "m2"))
        raw["modules"][0]["type"] = "overlapping"
        return raw

    runtime = bench.run(document(1))
    bench.script("m1", "reconfigure", fail)
    bench.script("m1", "reconfigure", fail, 1)
    bench.script("m2", "start", fail, 1)
    bench.change(document(2))
    degraded = runtime.snapshot.degraded
    bench.unscript()
    bench.script("m2", "start", fail, 1)
    bench.script("m2", "start", fail)
    bench.change(document(2))

    assert degraded == ("m2",)
    assert runtime.snapshot.degraded == ("m2",)
    assert runtime.status()["state"] == "degraded"


def test_what_runs_is_read_only(bench):
    """Nobody can take a module out of the snapshot."""
    runtime = bench.run(bench.document(1, names=("m1",)))

    with pytest.raises((TypeError, AttributeError)):
        runtime.snapshot.running.pop("m1")


def test_a_start_that_is_interrupted_leaves_nothing(bench):
    """An interrupt while a start is awaited stops what it has begun."""
    fake = bench.system
    hit: list[bool] = []

    def wait(condition, timeout):
        if threading.current_thread() is threading.main_thread() and not hit:
            hit.append(True)
            raise KeyboardInterrupt
        fake.wait(condition, timeout)

    system = System(fake.monotonic, fake.wall, fake.random, wait, fake.spawn)
    bench.script("m1", "start", bench.block, 1)
    runtime = bench.make(bench.document(1, names=("m1",)), system=system)

    def release():
        wait_until(lambda: hit)
        bench.released.set()

    later = threading.Thread(target=release)
    later.start()
    with pytest.raises(KeyboardInterrupt):
        runtime.start()
    later.join(5)

    assert not runtime.running
    assert bench.calls("stop") == ["m1"]
