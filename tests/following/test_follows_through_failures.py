from __future__ import annotations

import asyncio
import itertools
import logging
import threading

import pytest

from midflight.following import Following
from midflight.testing import FakeSystem, wait_until


class Chance(float):
    """A random number that notes what it is multiplied with; the product is 0."""

    def __new__(cls, noted):
        made = super().__new__(cls, 0.5)
        made.noted = noted
        return made

    noted: list[float]

    def __rmul__(self, longest):
        self.noted.append(longest)
        return 0.0


@pytest.fixture
def pauses():
    """The longest that each pause could have been, in seconds."""
    return []


@pytest.fixture
def system(pauses):
    """A machine whose pauses take no time, and whose clock a test turns."""
    return FakeSystem(chances=[Chance(pauses) for _ in range(100)])


@pytest.fixture
def warnings(caplog):
    """Returns what was logged so far."""
    caplog.set_level(logging.WARNING, "midflight")
    return lambda: [record.getMessage() for record in caplog.records]


def failing(times, error=None, last=None):
    """Return what fails so many times, and then waits for its end."""
    numbers = itertools.count(1)

    def follow(ending):
        number = next(numbers)
        if number > times:
            ending.wait(10)
        elif error is not None:
            raise error(number)
        if last is not None and number == times:
            last()

    return follow


def test_begins_anew_after_each_failure(system, pauses):
    """Each pause may take twice as long as the one before, up to the longest."""
    there = threading.Event()
    follow = failing(8, lambda number: OSError("gone"))

    def following(ending):
        if len(pauses) == 8:
            there.set()
        follow(ending)

    with Following("redis", following, longest=30.0, system=system):
        there.wait(5)

    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_pauses_are_random(pauses):
    """Not all processes come back at once: each pause is a random part of that."""
    fake = FakeSystem(chances=[0.0, 0.0, 0.0])
    again = threading.Event()
    with Following("redis", failing(3, last=again.set), system=fake):
        again.wait(5)

    assert fake.random() == 0.5, "each pause has used up one chance"


def test_begins_with_short_pauses_after_a_healthy_minute(system, warnings, pauses):
    """What worked for a minute and fails again is a new trouble, and is told."""
    numbers = itertools.count(1)

    def follow(ending):
        number = next(numbers)
        if number == 4:
            system.advance(61)
        if number > 5:
            ending.wait(10)
            return
        raise OSError("gone")

    with Following("redis", follow, system=system):
        wait_until(lambda: len(pauses) == 5)

    assert pauses == [1.0, 2.0, 4.0, 1.0, 2.0]
    assert len(warnings()) == 2


def test_says_the_same_failure_once(system, warnings, pauses):
    """A store that is down for an hour does not fill the log."""
    follow = failing(9, lambda number: OSError("gone" if number < 7 else "refused"))
    with Following("redis", follow, system=system):
        wait_until(lambda: len(pauses) == 9)

    assert warnings() == [
        "redis is not followed: OSError: gone; trying again",
        "redis is not followed: OSError: refused; trying again",
    ]


def test_a_return_is_a_failure(system, warnings, pauses):
    """Who follows a store returns only at the end."""
    with Following("redis", failing(3), system=system):
        wait_until(lambda: len(pauses) == 3)

    assert warnings() == ["redis is not followed: it ended; trying again"]


def test_ends_quietly(system, warnings):
    """What a client raises because it is interrupted is no failure."""
    begun = threading.Event()

    def follow(ending):
        begun.set()
        ending.wait(10)
        raise OSError("interrupted")

    with Following("redis", follow, system=system):
        begun.wait(5)

    assert warnings() == []


def test_interrupts_what_waits():
    """The event is set first, so that who wakes up knows why."""
    begun, woken, seen = threading.Event(), threading.Event(), []

    def follow(ending):
        begun.set()
        woken.wait(10)
        seen.append(ending.is_set())

    with Following("redis", follow, interrupt=woken.set):
        begun.wait(5)

    assert seen == [True]


def test_an_interrupt_that_raises_is_no_end(warnings):
    """A client that is half closed raises; its thread is waited for all the same."""
    ended, again = threading.Event(), threading.Event()

    def follow(ending):
        again.wait(20)
        ended.set()

    def interrupt():
        again.set()
        raise RuntimeError("closed")

    with Following("redis", follow, interrupt=interrupt):
        pass

    assert ended.is_set()
    assert warnings() == []


def test_interrupts_again_who_was_about_to_wait(warnings):
    """A client that connects anew after an interrupt is interrupted once more."""
    lost, woken = threading.Event(), threading.Event()

    def follow(ending):
        lost.wait(10)
        woken.wait(20)

    def interrupt():
        (woken if lost.is_set() else lost).set()

    with Following("redis", follow, interrupt=interrupt):
        pass

    assert warnings() == []


def test_can_be_left_twice():
    """The second exit does nothing."""
    interrupts: list = []
    follow = failing(0)
    following = Following("redis", follow, interrupt=lambda: interrupts.append(1))
    with following:
        pass
    before = [*interrupts]
    following.__exit__(None, None, None)

    assert interrupts == before != []


def test_nothing_runs_after_the_exit():
    """The thread has ended when the watch was left."""
    names = []
    with Following("redis", failing(0)):
        wait_until(lambda: "midflight-redis" in _threads())
        names += _threads()

    assert "midflight-redis" in names
    wait_until(lambda: "midflight-redis" not in _threads())


@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError])
def test_whatever_ends_it_is_a_failure(system, pauses, error):
    """A task that was cancelled, or a client that wants to exit, ends no thread."""
    with Following("redis", failing(2, error), system=system):
        wait_until(lambda: len(pauses) == 2, "another try")


def test_leaves_a_thread_that_does_not_end(warnings):
    """A client that hangs keeps nobody from stopping; the log says so."""
    stuck = threading.Event()
    with Following("redis", lambda ending: stuck.wait(20)):
        pass
    said = warnings()
    stuck.set()

    assert said == ["redis: the thread that follows it does not end"]


def _threads():
    return [thread.name for thread in threading.enumerate()]
