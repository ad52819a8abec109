from __future__ import annotations

import threading

import pytest

from midflight.testing import wait_until
from midflight_plugins.database._lookout import Stir

KEYS = [f"key-{at}" for at in range(20)]


@pytest.fixture
def names():
    """Return what names the threads of this test that look at databases.

    One of a test before, whose server was killed, may need a moment to end.
    """
    strangers = set(threading.enumerate())

    def found():
        mine = [each.name for each in threading.enumerate() if each not in strangers]
        return [name for name in mine if name == "midflight-database"]

    return found


# -- how often, and how many ---------------------------------------------------------


def test_one_query_a_tick_serves_all_documents(watching, names):
    """However many documents are watched, a tick asks once, over one connection."""
    for key in KEYS * 2:
        watching.watch(key)
    before = len(watching.database.looks)
    for _ in range(3):
        watching.tick()

    assert watching.database.looks[before:] == [tuple(sorted(KEYS))] * 3
    assert watching.database.opened == 1
    assert len(names()) == 1


@pytest.mark.parametrize(
    ("pushes", "chance", "seconds"),
    [(False, 0, 4), (False, 1, 6), (True, 0, 24), (True, 0.5, 30)],
)
def test_the_interval_is_left_to_chance_a_little(watching, pushes, chance, seconds):
    """A look comes after 5 s, beside a push after 30, give or take a fifth."""
    watching.database.pushes, watching.time.chance = pushes, chance
    watching.watch()
    watching.time.settle()

    assert watching.time.waits[-1] == pytest.approx(seconds)


def test_a_storm_of_events_costs_a_tenth_of_the_time(watching):
    """After a look that took 1 s, the next one that was not due waits for 10 s."""
    watching.watch()
    watching.time.settle()
    database = watching.database
    database.on_look = lambda: watching.time.advance(1.0)
    database.pushes = True  # so that no planned look comes in between
    watching.tick()
    database.on_look = lambda: None
    looks, waited = len(database.looks), len(watching.time.waits)
    database.push(*[Stir(looks=(0.0,))] * 5)
    wait_until(lambda: len(watching.time.waits) > waited, "the storm to be noticed")
    watching.time.settle()

    assert len(database.looks) == looks
    assert watching.time.waits[-1] == pytest.approx(10.0)


# -- what is a hint ------------------------------------------------------------------


def test_a_change_hints_those_who_watch_it(watching):
    """Nobody hears of another document's change."""
    hints, others = watching.watch("a")[0], watching.watch("b")[0]
    watching.change(a="1")
    watching.tick()

    assert (hints, others) == (["a"], [])


def test_what_is_there_at_first_is_no_change(watching):
    """Whoever begins to watch loads afterwards, and needs no hint for that."""
    watching.change(a="1")
    hints, _ = watching.watch("a")
    watching.tick()

    assert hints == []


def test_coming_and_going_are_changes(watching):
    """A document that appears gives a hint, and so does one that is deleted."""
    hints, _ = watching.watch("a")
    watching.change(a="1")
    watching.tick()
    del watching.database.tokens["a"]
    watching.tick()

    assert hints == ["a", "a"]


def test_a_notification_is_passed_on_without_a_look(watching):
    """The hint comes at once, from the thread that heard of the change."""
    hints, _ = watching.watch("a")
    looks = len(watching.database.looks)
    watching.database.push(Stir(frozenset({"a", "stranger"})))
    wait_until(lambda: hints, "a hint")

    assert len(watching.database.looks) == looks


def test_a_look_follows_what_was_said(watching):
    """Soon after a notification a look confirms it, so that no sweep need ask."""
    watching.database.pushes = True
    hints, _ = watching.watch("a")
    watching.time.settle()
    watching.change(a="1")
    watching.database.push(Stir(frozenset({"a"})))
    wait_until(lambda: hints, "a hint")
    watching.time.settle()
    between = watching.observed("a")
    looks = len(watching.database.looks)
    watching.time.advance(5.0)
    wait_until(lambda: len(watching.database.looks) > looks, "a look")
    watching.time.settle()

    assert (between, watching.observed("a")) == (None, "1")


def test_something_unclear_leads_to_a_look(watching):
    """An event that does not say what changed makes the thread look, and again."""
    hints, _ = watching.watch("a")
    looks = len(watching.database.looks)
    watching.change(a="1")
    watching.database.push(Stir(looks=(0.0, 0.5)))
    wait_until(lambda: hints, "a hint")
    watching.time.settle()
    watching.time.advance(0.5)
    wait_until(lambda: len(watching.database.looks) == looks + 2, "a second look")

    assert hints == ["a"]


# -- what was observed ---------------------------------------------------------------


def test_what_was_observed_counts_for_an_interval(watching):
    """A token answers for the database until the next look is overdue."""
    watching.change(app="1")
    watching.watch()
    watching.time.settle()
    observed = [watching.observed()]
    watching.database.on_look = threading.Event().wait  # a look that hangs
    watching.time.advance(6.0)
    observed.append(watching.observed())
    watching.time.advance(0.1)
    observed.append(watching.observed())
    watching.database.on_look = lambda: None

    assert observed == ["1", "1", None]


def test_nothing_is_observed_of_what_nobody_watches(watching):
    """Before a watch, after it, and of another document, the database is asked."""
    watching.change(app="1", other="1")
    observed = [watching.observed()]
    _, leave = watching.watch()
    observed += [watching.observed(), watching.observed("other")]
    leave()

    assert [*observed, watching.observed()] == [None, "1", None, None]


def test_a_notification_outdates_what_was_observed(watching):
    """Whoever is hinted and asks for the token does not get the old one."""
    watching.change(app="1")
    seen = []
    watching.watch(notify=lambda: seen.append(watching.observed()))
    before = watching.observed()
    watching.database.push(Stir(frozenset({"app"})))
    wait_until(lambda: seen, "a hint")

    assert (before, seen) == ("1", [None])


def test_who_asks_while_the_last_watch_is_left_begins_nothing(watching, names):
    """Who found the watcher just before its end gets no token, and starts no thread."""
    watching.change(app="1")
    _, leave = watching.watch()
    [hub] = watching.hubs._hubs.values()
    leave()

    assert hub.observed("app") is None
    assert names() == []


# -- in and out ----------------------------------------------------------------------


def test_the_hint_may_do_anything(watching):
    """Nothing is locked during a hint: watch, ask, leave, all from inside."""
    seen: list = []

    def everything():
        inner, leave_inner = watching.watch("inner")
        watching.watch("app")
        seen.append((inner, watching.observed("inner")))
        leave_inner()
        leave()
        seen.append("left")

    watching.change(inner="1")
    _, leave = watching.watch(notify=everything)
    watching.change(app="2")
    watching.database.push(Stir(frozenset({"app"})))
    wait_until(lambda: "left" in seen, "the end of the hint", 10)

    assert seen == [([], None), "left"]  # its own thread cannot look meanwhile


def test_no_hint_begins_after_the_exit(watching):
    """Leaving waits for a hint that is under way, and lets no other begin."""
    inside, go_on, order = threading.Event(), threading.Event(), []

    def slow():
        inside.set()
        go_on.wait(5)
        order.append("hinted")

    _, leave = watching.watch(notify=slow)
    watching.watch("other")
    watching.database.push(*[Stir(frozenset({"app"}))] * 3)
    inside.wait(5)

    def go():
        leave()
        order.append("left")

    leaving = threading.Thread(target=go)
    leaving.start()
    threading.Timer(0.05, go_on.set).start()
    leaving.join()
    watching.tick()

    assert order == ["hinted", "left"]


def test_the_last_one_out_ends_everything(watching, names):
    """Thread and connection live as long as somebody watches, and come again."""
    for _ in range(3):
        leaves = [watching.watch(key)[1] for key in KEYS]
        assert len(names()) == 1
        for leave in (*leaves, *leaves):
            leave()
        assert names() == []
        assert watching.database.open_now == 0

    assert watching.database.opened == 3


def test_a_hint_that_raises_ends_nothing(watching, caplog):
    """What a watcher does is logged, and the others are told all the same."""

    def broken():
        raise SystemExit

    watching.watch("a", notify=broken)
    hints, _ = watching.watch("a")
    for token in "12":
        watching.change(a=token)
        watching.tick()

    assert hints == ["a", "a"]
    assert len(caplog.records) == 2


def test_a_hint_that_hangs_holds_nobody_up(watching, names):
    """After 5 s in a hint another thread takes over; the first ends when it can."""
    inside, go_on = threading.Event(), threading.Event()

    def hang():
        inside.set()
        go_on.wait(20)

    watching.watch("a", notify=hang)
    hints, _ = watching.watch("b")
    watching.database.push(Stir(frozenset({"a"})))
    inside.wait(5)
    watching.time.advance(5.1)
    watching.change(b="1")
    watching.observed("b")  # as every sweep does
    wait_until(lambda: hints, "a hint from another thread")
    go_on.set()
    wait_until(lambda: len(names()) == 1, "the end of the first thread")

    assert watching.database.open_now == 1
