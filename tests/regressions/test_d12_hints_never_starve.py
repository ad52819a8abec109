"""D12: any event restarted the debounce: a busy neighbour starved it for ever."""

from __future__ import annotations

import pytest

from midflight import Runtime
from midflight.testing import FakeModule, FakeSource, FakeSystem, wait_until

PAUSE = 0.005  # s between two hints, less than any quiet time
LIMIT = 0.200  # s within which a burst is acted on


def document(value):
    """Return what the source holds."""
    return {"modules": [{"name": "m", "type": "fake", "config": {"v": value}}]}


def restarting_debounce(hints, quiet=0.010):
    """Return when the original acts, or `None`: each hint begins the wait anew."""
    due = None
    for at in hints:
        if due is not None and at >= due:
            return due
        due = at + quiet
    return None


def assert_acts(acted_at):
    """It is acted on, and in time."""
    assert acted_at is not None, "it starves"
    assert acted_at <= LIMIT + PAUSE


def test_a_neighbour_that_never_rests_starves_nothing():
    """Hints without end, and the change is in force within 200 ms."""
    source, system = FakeSource(document(1)), FakeSystem()
    types = {"fake": FakeModule}
    with Runtime(source, modules=types, watch=True, system=system) as runtime:
        source.hint()
        source.set(document(2))
        begun, acted_at = system.monotonic(), None
        for _ in range(100):
            system.advance(PAUSE)
            source.hint()
            spent = system.monotonic() - begun
            if spent >= LIMIT:
                done = lambda: runtime.snapshot.generation == 2  # noqa: E731  # a wait
                wait_until(done, "the change")
            if runtime.snapshot.generation == 2:
                acted_at = spent
                break

        assert_acts(acted_at)


def test_the_oracle_sees_a_debounce_that_restarts():
    """The original's debounce starves, and would not go unseen."""
    hints = [PAUSE * count for count in range(1000)]

    with pytest.raises(AssertionError, match="it starves"):
        assert_acts(restarting_debounce(hints))
