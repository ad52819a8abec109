from __future__ import annotations

import threading

import pytest

from midflight import RolledBack, hookimpl
from midflight.errors import (
    InvalidConfigurationError,
    SourceUnavailableError,
    StoppedError,
)
from midflight.testing import wait_until

ONE = ("m1",)


def test_wait_returns_once_the_generation_is_applied(watched):
    """Who waits for a generation sees it when it is there."""
    watched.hinted(watched.document(2, names=ONE))

    assert watched.runtime.wait(2).generation == 2
    assert watched.runtime.wait(1).generation == 2


def test_wait_gives_up_at_its_timeout(bench):
    """Who waits in vain learns what is in force instead."""
    runtime = bench.run(bench.document(1, names=ONE))
    given_up: list[BaseException] = []

    def waits():
        try:
            runtime.wait(9, timeout=5)
        except TimeoutError as exc:
            given_up.append(exc)

    waiter = threading.Thread(target=waits)
    waiter.start()

    def is_over():
        bench.system.advance(1)
        return not waiter.is_alive()

    wait_until(is_over, "the timeout")
    assert "in force is 1" in str(given_up[0])


def test_wait_ends_with_the_runtime(bench):
    """Who waits is not left behind by a stop."""
    runtime = bench.run(bench.document(1, names=ONE))
    ends: list[BaseException] = []

    def waits():
        try:
            runtime.wait(9, timeout=500)
        except StoppedError as exc:
            ends.append(exc)

    waiter = threading.Thread(target=waits)
    waiter.start()
    runtime.stop()
    waiter.join(5)

    assert len(ends) == 1


def test_stop_may_be_called_twice(bench):
    """The second stop finds nothing to do, from any thread."""
    runtime = bench.run(bench.document(1))
    stops = [threading.Thread(target=runtime.stop) for _ in range(4)]
    for stop in stops:
        stop.start()
    for stop in stops:
        stop.join(5)
    runtime.stop()

    assert sorted(bench.calls("stop")) == ["m1", "m2", "m3", "m4", "m5"]
    assert runtime.status()["state"] == "stopped"


def test_a_stopped_runtime_refuses_to_reload(bench):
    """What does not run says so."""
    runtime = bench.run(bench.document(1, names=ONE))
    runtime.stop()

    with pytest.raises(StoppedError):
        runtime.reload()


def test_a_stopped_runtime_starts_again_or_says_why_not(bench):
    """A second start makes fresh modules or refuses; it never shows stopped ones."""
    runtime = bench.run(bench.document(1, names=ONE))
    old = runtime.module("m1")
    runtime.stop()
    bench.forget()

    try:
        runtime.start()
    except StoppedError:
        return

    assert bench.calls("start") == ["m1"]
    assert runtime.module("m1") is not old
    runtime.stop()
    assert bench.calls("stop") == ["m1"]


def test_a_module_that_hangs_does_not_hold_up_the_shutdown(bench):
    """Whoever hangs in `stop` is left behind; the others are stopped."""
    runtime = bench.run(bench.document(1), shutdown=10.0)
    bench.script("m5", "stop", bench.block, value=1)
    bench.script("m3", "stop", bench.block, value=1)
    begun = bench.system.monotonic()

    stop_in_simulated_time(bench, runtime)

    assert bench.system.monotonic() - begun <= 10.5
    assert bench.calls("stop") == ["m5", "m4", "m2", "m3", "m1"]


def test_a_change_that_hangs_does_not_hold_up_the_shutdown(bench):
    """A stop in mid-apply ends the step that hangs, undoes, and stops the modules."""
    runtime = bench.run(bench.document(1), deadline=1000.0, shutdown=10.0)
    hanging = threading.Event()
    begun = bench.system.monotonic()

    def hang(*_):
        hanging.set()
        bench.block()

    bench.script("m3", "reconfigure", hang)
    changing = threading.Thread(target=lambda: bench.change(bench.document(2)))
    changing.start()
    assert hanging.wait(5)

    stop_in_simulated_time(bench, runtime)

    changing.join(5)
    assert not changing.is_alive(), "the caller of reload was left waiting"
    assert bench.system.monotonic() - begun <= 10.5
    assert set(bench.calls("stop")) == {"m1", "m2", "m3", "m4", "m5"}


def stop_in_simulated_time(bench, runtime):
    """Stop a runtime while simulated time passes."""
    stopping = threading.Thread(target=runtime.stop)
    stopping.start()

    def is_over():
        bench.system.advance(0.25)
        stopping.join(0.02)
        return not stopping.is_alive()

    wait_until(is_over, "the shutdown")
    assert not runtime.running


def test_an_outcome_is_told_to_observers(bench, fail):
    """Each attempt that did something is told, with what asked for it."""
    seen = []

    class Observer:
        @hookimpl
        def on_outcome(self, outcome):
            seen.append((outcome.name, str(outcome.reason), outcome.cause))

    class Broken:
        @hookimpl
        def on_outcome(self, outcome):
            raise SystemExit(4)

    bench.run(bench.document(1), plugins=[Broken(), Observer(), Broken()])
    bench.script("m2", "reconfigure", fail)
    bench.change(bench.document(2))
    bench.change(bench.document(1))
    bench.runtime.reload()

    assert seen[:2] == [
        ("applied", "started", "start"),
        ("rolled_back", "step_failed", "reload"),
    ]
    assert isinstance(bench.change(bench.document(2)), RolledBack)


def test_a_start_on_bad_content_raises_its_faults(bench):
    """A service does not come up on a configuration that is wrong."""
    runtime = bench.make({"modules": [{"name": "x"}]})

    with pytest.raises(InvalidConfigurationError, match="E_REQUIRED") as caught:
        runtime.start()

    assert caught.value.faults[0].path == ("modules", "x")
    assert not runtime.running


def test_a_start_on_a_source_that_is_down_says_so(bench):
    """A source that cannot be read at start is its own kind of error."""
    runtime = bench.make({})
    bench.source.fail(SourceUnavailableError("down"))

    with pytest.raises(SourceUnavailableError, match="down"):
        runtime.start()
