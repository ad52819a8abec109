from __future__ import annotations

import logging
import time

import pytest

from midflight.testing import wait_until

AWAY = "the database is away"


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level(logging.INFO, "midflight.database")


def fail(watching, times):
    """Let tries fail, and return how long each was waited for."""
    paused = []
    for _ in range(times):
        watching.time.settle()
        paused.append(watching.time.waits[-1])
        waited = len(watching.time.waits)
        watching.time.advance(paused[-1])
        wait_until(lambda: len(watching.time.waits) > waited, "the next try")  # noqa: B023  # called within the pass
    return paused


def come_back(watching):
    """Let the database answer again, and wait until that was seen."""
    watching.database.down = None
    looks = len(watching.database.looks)
    watching.time.settle()
    watching.time.advance(30.0)
    wait_until(lambda: len(watching.database.looks) > looks, "a look")
    watching.time.settle()


def break_down(watching):
    """Let the database fail at the next tick."""
    watching.time.settle()
    waited = len(watching.time.waits)
    watching.go_down()
    watching.time.advance(6.0)
    wait_until(lambda: len(watching.time.waits) > waited, "the failure")
    watching.time.settle()


def test_one_line_when_it_goes_and_one_when_it_is_back(watching, caplog):
    """An outage of twenty tries is told in two lines, and so is the next."""
    watching.watch()
    for _ in range(2):
        break_down(watching)
        fail(watching, 20)
        come_back(watching)

    assert [r.levelname for r in caplog.records] == ["WARNING", "INFO"] * 2
    assert AWAY in caplog.messages[0]
    assert "is back" in caplog.messages[1]
    assert "hunter2" not in caplog.text


def test_the_line_names_the_database_once(watching, caplog):
    """What is said begins with the database; the reason need not say it again."""
    watching.watch()
    name = f"database:{watching.settings.url}"
    [hub] = watching.hubs._hubs.values()
    hub.lost(hub.poller, f"{name}: OperationalError: gone")

    assert caplog.messages == [f"{name}: changes are not seen: OperationalError: gone"]


def test_the_return_is_a_hint(watching):
    """Whoever could not load meanwhile tries again, though the token is the same."""
    watching.change(app="1")
    hints, _ = watching.watch()
    break_down(watching)
    come_back(watching)
    watching.tick()

    assert hints == ["app"]


def test_pauses_double_up_to_thirty_seconds_and_are_left_to_chance(watching):
    """Each pause is a random part of twice the last one's limit."""
    watching.time.chance = 0.999_999
    watching.watch()
    break_down(watching)
    limits = fail(watching, 7)
    watching.time.chance = 0.25
    fail(watching, 1)

    assert limits == pytest.approx([1, 2, 4, 8, 16, 30, 30], rel=1e-3)
    assert fail(watching, 1) == [pytest.approx(7.5)]


def test_a_connection_that_holds_but_briefly_is_not_tried_in_haste(watching):
    """Pauses begin anew only after a minute without a failure."""
    watching.time.chance = 0.999_999
    watching.watch()
    break_down(watching)
    paused = fail(watching, 3)
    come_back(watching)
    break_down(watching)
    paused += fail(watching, 1)
    come_back(watching)
    for _ in range(11):
        watching.tick()
    break_down(watching)

    assert [*paused, *fail(watching, 1)] == pytest.approx([1, 2, 4, 16, 1], rel=1e-3)


def test_what_a_driver_says_is_not_repeated(watching, caplog):
    """The text of a foreign error may hold a password: its type has to do."""
    watching.go_down(RuntimeError("cannot connect as user:hunter2"))
    watching.watch()
    wait_until(lambda: caplog.messages, "a line")

    assert caplog.messages[0].endswith("RuntimeError")
    assert "hunter2" not in caplog.text


def test_a_database_that_is_away_holds_no_watcher_up(watching):
    """To begin to watch it takes no longer than one try."""
    watching.go_down()
    begun = time.monotonic()
    for _ in range(10):
        watching.watch()

    assert time.monotonic() - begun < 2.0
    assert watching.observed() is None


def test_a_leap_of_the_clock_is_one_tick(watching):
    """After a stop of an hour there is one look, and what was seen is not trusted."""
    watching.change(app="1")
    watching.watch()
    watching.time.settle()
    looks, seen = len(watching.database.looks), []
    watching.database.on_look = lambda: seen.append(watching.observed())
    watching.time.advance(3600.0)
    wait_until(lambda: seen, "a look")
    watching.time.settle()

    assert len(watching.database.looks) == looks + 1
    assert seen == [None]
