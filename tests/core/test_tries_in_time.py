"""Looks, retries and sweeps neither get lost nor come without end."""

from __future__ import annotations

from typing import Any

import pytest

from midflight import Held, Rejected, RolledBack, Runtime, hookimpl
from midflight.errors import SourceUnavailableError, TransientError
from midflight.testing import FakeSource, FakeSystem, wait_until


def _for_now(_module, _config):
    msg = "not yet"
    raise TransientError(msg)


@pytest.mark.no_canaries("a reference is one more load")
def test_a_held_change_ends_the_retries_of_an_older_one(bench):
    """What waits for approval is not looked at over and over."""
    runtime = bench.run(
        bench.document(1, names=("m1",)), strategy="hold", watch=True, sweep=50.0
    )
    bench.script("m1", "prepare", _for_now)
    bench.hinted(bench.document(2, names=("m1",)))
    bench.settle()
    assert runtime.approve().transient
    outcome = bench.change(bench.document(3, names=("m1",)))
    loads, hashes = bench.source.loads, bench.source.hashes
    bench.system.advance(60)  # past a retry and the next sweep
    wait_until(lambda: bench.source.hashes > hashes, "the sweep")
    bench.settle()

    assert isinstance(outcome, Held)
    assert bench.source.loads == loads


def test_a_source_that_was_away_does_not_end_the_retries(bench):
    """What failed for now is tried again after the source went and came back."""
    bench.system = FakeSystem(chances=[0.99])
    bench.run(bench.document(1, names=("m1",)), watch=True)
    bench.script("m1", "prepare", _for_now)
    bench.source.hints = 0
    outcome = bench.change(bench.document(2, names=("m1",)))
    bench.source.fail(SourceUnavailableError("away"))
    away = bench.runtime.reload()
    bench.unscript()
    bench.source.restore()
    loads = bench.source.loads
    bench.runtime.hint()
    bench.system.advance(0.1)  # neither the retry nor the sweep is due
    wait_until(lambda: bench.source.loads > loads, "the look")
    bench.settle()
    bench.system.advance(2)

    assert isinstance(outcome, Rejected)
    assert away.reason == "source_unavailable"
    wait_until(lambda: bench.value() == 2, "the retry")


def test_a_retry_that_is_due_keeps_no_sweep_away(bench):
    """A change that no hint told of is found while a retry is awaited."""
    bench.system = FakeSystem(chances=[0.99])
    bench.run(bench.document(1, names=("m1",)), watch=True, sweep=0.2)
    bench.source.hints = 0
    bench.script("m1", "prepare", _for_now)
    assert bench.change(bench.document(2, names=("m1",))).transient
    bench.source.set(bench.document(3, names=("m1",)))
    bench.system.advance(0.3)  # the retry is due after 0.99 s

    wait_until(lambda: bench.value() == 3, "the sweep")


@pytest.mark.parametrize("kind", ["plain", "rigid"])
def test_a_start_that_fails_on_its_value_is_not_tried_again(bench, fail, kind):
    """A module is not stopped and started again and again for one bad value."""
    bench.run(bench.document(1, names=("m1",), kind=kind), watch=True, backoff=1.0)
    bench.script("m1", "start" if kind == "rigid" else "reconfigure", fail)
    outcome = bench.change(bench.document(2, names=("m1",), kind=kind))
    bench.forget()
    bench.elapse(30, step=0.5)

    assert isinstance(outcome, RolledBack)
    assert not outcome.transient
    assert not bench.calls("prepare")


def test_a_token_of_another_read_is_not_trusted(bench):
    """Content that came and went between `hash` and `load` does not stay in force."""
    values = [2, 1]

    class Flickering:
        """Changes for the length of its first `load`; its token cannot tell."""

        @hookimpl
        def hash(self):
            return "constant"

        @hookimpl
        def load(self):
            value = values.pop(0) if len(values) > 1 else values[0]
            return bench.document(value, names=("m1",))

    bench.make({}, source=Flickering(), watch=True, sweep=1.0).start()
    first = bench.value()
    bench.system.advance(1.1)

    assert first == 2
    wait_until(lambda: bench.value() == 1, "the second look")


@pytest.mark.parametrize("name", ["sweep", "deadline", "backoff", "shutdown"])
def test_a_duration_of_nothing_is_refused(name):
    """A pause of 0 s, which would be a busy loop, is refused."""
    options: dict[str, Any] = {name: 0}

    with pytest.raises(ValueError, match="more than 0 seconds"):
        Runtime(FakeSource(), **options)


def test_a_duration_without_end_is_taken():
    """Durations longer than a lock can wait end no thread."""
    source = FakeSource({"modules": []})
    with Runtime(source, watch=True, sweep=1e10, deadline=1e10) as runtime:
        outcome = runtime.reload()

    assert outcome.ok
