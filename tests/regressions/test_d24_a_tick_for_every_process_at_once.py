"""D24: no jitter, no backoff, one error line for each tick."""

from __future__ import annotations

import itertools
import logging
import select
import threading

import pytest

from midflight.errors import SourceUnavailableError
from midflight_plugins.database._hub import Hub, Watch
from midflight_plugins.database._lookout import Stir
from midflight_plugins.database._poller import Machine

POLL = 5.0  # s
LOOKS = 12
NAME = "midflight.database"


class Database:
    """Notes when it is looked at; each wait of who looks takes no time.

    Args:
        chances: what chance gives, over and over.
        down: how many of the first connects fail.
    """

    pushes, descriptors = False, ()

    def __init__(self, chances, down=0):
        self.now, self.connects, self.looks, self.down = 0.0, [], [], down
        self.seen = threading.Event()
        chance = itertools.cycle(chances)
        self.machine = Machine(
            monotonic=lambda: self.now, random=lambda: next(chance), wait=self.wait
        )

    def wait(self, descriptors, seconds):
        self.now += seconds
        if self.seen.is_set() and descriptors:
            select.select(descriptors, [], [], 5)  # until it is told to end

    def open(self):
        self.connects.append(self.now)
        if len(self.connects) <= self.down:
            raise SourceUnavailableError("connection refused")

    def stirred(self):
        return Stir()

    def tokens(self, keys):
        self.looks.append(self.now)
        if len(self.looks) > LOOKS:
            self.seen.set()
        return dict.fromkeys(keys, "1")

    def close(self):
        pass


def watch(database):
    """Watch one document until the database was looked at often enough."""
    hub = Hub("database:shop", lambda: database, POLL, database.machine)
    try:
        hub.add(Watch("default", lambda: None))
        assert database.seen.wait(10)
    finally:
        hub.close()


class Metronome:
    """The broken variant: it ticks, and tells of every tick that fails."""

    def __init__(self, database):
        self.database = database

    def run(self):
        database = self.database
        while not database.seen.is_set():
            try:
                database.open()
                database.tokens(["default"])
            except SourceUnavailableError:
                logging.getLogger(NAME).exception("poll failed")
            database.wait((), POLL)


def pauses(times):
    """Return what lies between points in time."""
    return [later - sooner for sooner, later in itertools.pairwise(times)]


def assert_spread(looks):
    """The pauses differ, by a fifth of the interval at the most."""
    found = [round(pause, 3) for pause in pauses(looks[1:])]
    assert len(set(found)) > 2
    assert all(0.8 * POLL <= pause <= 1.2 * POLL for pause in found)


def assert_backs_off(connects):
    """The pauses double from 1 s to 30 s."""
    assert pauses(connects) == pytest.approx([1, 2, 4, 8, 16, 30, 30, 30])


def assert_told_once(records):
    """It is said once that the database is down, and once that it is back."""
    assert [each.levelname for each in records] == ["WARNING", "INFO"]


def test_processes_do_not_look_all_at_once():
    """Chance moves each look by up to a fifth of the interval."""
    database = Database([0.0, 0.9, 0.5, 0.2])

    watch(database)

    assert_spread(database.looks)


def test_a_database_that_is_down_is_asked_less_and_less():
    """While it is down, pauses grow to 30 s, and chance shortens each."""
    database, lucky = Database([1.0], down=8), Database([0.5], down=8)

    watch(database)
    watch(lucky)

    assert_backs_off(database.connects)
    assert pauses(lucky.connects) == pytest.approx(
        [pause / 2 for pause in pauses(database.connects)]
    )


def test_that_a_database_is_down_is_said_once(caplog):
    """There is one line when it goes and one when it is back, however many ticks."""
    with caplog.at_level(logging.INFO, NAME):
        watch(Database([0.5], down=8))

    assert_told_once(caplog.records)


def test_the_oracles_see_a_metronome(caplog):
    """The original's loop would not go unseen."""
    database = Database([0.5], down=8)
    with caplog.at_level(logging.INFO, NAME):
        Metronome(database).run()

    with pytest.raises(AssertionError):
        assert_spread(database.looks)
    with pytest.raises(AssertionError):
        assert_backs_off(database.connects)
    with pytest.raises(AssertionError):
        assert_told_once(caplog.records)
