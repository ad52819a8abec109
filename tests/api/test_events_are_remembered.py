"""What happened is remembered for who asks later, and told who listens."""

from __future__ import annotations

import gc
import json
import threading
from typing import Any

import pytest

from midflight import Applied, Held, Plan, Rejected, Runtime, Start, hookimpl
from midflight.errors import Code, Fault
from midflight_plugins.api import Api, Caller, Events, Request
from midflight_plugins.memory import MemorySource

REASON: Any = "changed"
FAULT = Fault(Code.E_VALUE, "too fast", ("modules", "api"))


def installed(generation):
    """Return what a change ends with."""
    return Applied(reason=REASON, generation=generation, digest=f"d{generation}")


def refused(generation):
    """Return what a refusal ends with."""
    return Rejected(reason=REASON, generation=generation, faults=(FAULT,))


def held(generation):
    """Return what a plan that waits ends with."""
    return Held(reason=REASON, generation=generation)


@pytest.fixture
def events():
    """Return what remembers eight things."""
    return Events(kept=8)


def filled(events, *outcomes):
    """Add outcomes; return the events."""
    for outcome in outcomes:
        events.add(outcome)
    return events.since("0")


def test_an_id_names_the_generation_and_what_came_while_it_ran(events):
    """`7` installs generation 7; `7.2` is the second other thing while it runs."""
    found = filled(
        events, refused(0), installed(1), refused(1), held(1), installed(2), refused(2)
    )

    assert [each.id for each in found] == ["0.1", "1", "1.1", "1.2", "2", "2.1"]
    assert [each.number for each in found] == [1, 2, 3, 4, 5, 6]
    assert [each.name for each in found][:4] == [
        "rejected",
        "applied",
        "rejected",
        "held",
    ]


def test_an_event_holds_its_outcome_as_data(events):
    """With its faults, and with no more steps than a message can carry."""
    plan = Plan(tuple(Start(f"m{n}") for n in range(5_000)))
    events.add(Applied(reason=REASON, generation=1, plan=plan))
    events.add(refused(1))
    first, second = events.since("0")

    assert second.data["faults"][0]["path"] == "modules.api"
    assert (len(first.data["steps"]), first.data["steps_total"]) == (100, 5_000)
    assert len(first.text) < 10_000


@pytest.mark.parametrize(
    ("last", "ids"),
    [("1", ["1.1", "2"]), ("1.1", ["2"]), ("2", []), (None, []), ("", [])],
)
def test_who_comes_back_gets_what_came_since(events, last, ids):
    """After the event that was received last; who never had one begins now."""
    filled(events, installed(1), refused(1), installed(2))

    assert [each.id for each in events.since(last)] == ids


@pytest.mark.parametrize("last", ["7", "1.99.1", "nonsense", "9" * 40])
def test_an_id_of_another_process_gets_everything(events, last):
    """And is told that something may have been missed."""
    filled(events, installed(1), refused(1))
    missed, *rest = events.since(last)

    assert (missed.name, missed.id) == ("missed", "")
    assert [each.id for each in rest] == ["1", "1.1"]


def test_what_was_forgotten_is_told(events):
    """Of more than are kept, `missed` stands in the place of the oldest."""
    for generation in range(1, 21):
        events.add(installed(generation))
    missed, *rest = events.since("5")

    assert (missed.name, missed.data) == ("missed", {"since": "5"})
    assert [each.id for each in rest] == [str(n) for n in range(13, 21)]
    assert [each.name for each in events.since("12")] == ["applied"] * 8


def test_a_listener_is_told_until_it_goes(events):
    """One that fails stops neither the others nor who adds."""
    heard: list[Any] = []

    def fails(_event):
        raise RuntimeError

    events.subscribe(fails)
    leave = events.subscribe(heard.append)
    events.add(installed(1))
    leave()
    events.add(installed(2))

    assert [each.id for each in heard] == ["1"]


def test_nothing_is_lost_while_others_listen_and_ask(events):
    """Who subscribes first and then asks has each event, however they interleave."""
    total = 2_000
    complete: list[bool] = []
    kept = Events(kept=total)
    kept.add(installed(1))

    def listen():
        numbers = []
        leave = kept.subscribe(lambda event: numbers.append(event.number))
        numbers.extend(each.number for each in kept.since("1"))
        done.wait(20)
        leave()
        complete.append(set(numbers) == set(range(2, total + 2)))

    done = threading.Event()
    listeners = [threading.Thread(target=listen) for _ in range(8)]
    for number in range(total):
        if number % 250 == 0:
            listeners[number // 250].start()
        kept.add(refused(1))
    done.set()
    for each in listeners:
        each.join()

    assert complete == [True] * 8


def test_a_full_memory_is_nothing_to_a_collection_of_garbage():
    """A thousand events with a hundred steps each are a thousand objects."""
    events, plan = Events(), Plan(tuple(Start(f"m{n}") for n in range(100)))
    gc.collect()
    before = len(gc.get_objects())
    for generation in range(1, 1_025):
        events.add(Applied(reason=REASON, generation=generation, plan=plan))
    gc.collect()

    assert len(gc.get_objects()) - before < 2_000


class Limiter:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def prepare(self, config):
        if config["rate"] < 0:
            raise ValueError("a rate is not negative")

    @hookimpl
    def start(self, config):
        pass


def at(rate):
    """Return a configuration."""
    return {"modules": [{"name": "api", "type": "limiter", "config": {"rate": rate}}]}


@pytest.fixture
def runtime():
    """Return a runtime without a state directory that has seen four things."""
    source = MemorySource(at(1))
    with Runtime(source, modules={"limiter": Limiter}) as runtime:
        for rate, actor in ((2, "ada"), (-1, "bob"), (3, "cyd")):
            source.set(at(rate))
            runtime.reload(actor=actor)
        yield runtime


def asked(runtime, path, **query):
    """Return what a route answers, as it is written."""
    from midflight_plugins.api import ROUTES

    route = next(each for each in ROUTES if each.path == f"/api/v1/{path}")
    answer = Api.of(runtime).answer(route, Request(Caller("ada", ("read",)), {}, query))
    return json.loads(json.dumps(answer.content))


def test_the_history_is_remembered_without_a_state_directory(runtime):
    """In the words of the journal, newest first, a page at a time."""
    first = asked(runtime, "history", limit="2")
    rest = asked(runtime, "history", limit="2", before=str(first["next"]))
    records = [*first["records"], *rest["records"]]

    assert first["kept"] == "memory"
    assert [each["number"] for each in records] == [4, 3, 2, 1]
    assert [each["actor"] for each in records] == ["cyd", "bob", "ada", ""]
    assert records[1]["outcome"] == "rejected"
    assert records[1]["faults"][0]["code"] == "E_PREPARE"
    assert "not negative" in records[1]["faults"][0]["text"]
    assert rest["next"] is None


def test_what_was_in_force_is_listed(runtime):
    """The installations of this process, newest first, with who asked and why."""
    found = asked(runtime, "generations")["generations"]

    assert [each["generation"] for each in found] == [3, 2, 1]
    assert [each["actor"] for each in found] == ["cyd", "ada", ""]
    assert [each["current"] for each in found] == [True, False, False]
    assert found[0]["digest"] == runtime.snapshot.digest
    assert found[2]["reason"] == "started"


class Journal:
    """A plugin that keeps a journal."""

    @hookimpl
    def journal(self, limit, before):
        newest = (before or 10) - 1
        return [{"number": n} for n in range(newest, 0, -1)][:limit]


def test_a_journal_is_preferred():
    """What outlives the process is asked first."""
    with Runtime("memory:", plugins=[Journal()]) as runtime:
        found = asked(runtime, "history", limit="3")

        assert found["kept"] == "journal"
        assert [each["number"] for each in found["records"]] == [9, 8, 7]
        assert asked(runtime, "history", before="7")["records"][0]["number"] == 6
