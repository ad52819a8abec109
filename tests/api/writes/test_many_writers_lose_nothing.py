"""Writers at the same time, during an apply, inside a hook, and at the end."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from midflight import Runtime, hookimpl
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

from .conftest import BASE, CONFIG, MODULES, Client, Limiter, entry

WRITERS, TARGETS = 64, 16
DUE = 30.0  # s


def all_at_once(acts):
    """Run each on a thread of its own, all at once; return what they returned."""
    barrier, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(at, act):
        barrier.wait()
        results[at] = act()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DUE)
    return results


@pytest.mark.parametrize("store", ["memory:", "file"])
def test_no_put_is_lost_or_mixed_with_another(store, tmp_path):
    """Each that was answered is whole, and the last of a module is in force."""
    names = [f"m{number}" for number in range(TARGETS)]
    base = MemorySource({"modules": [entry(name, rate=1) for name in names]})
    store = f"file:{tmp_path}/o.json" if store == "file" else store
    overrides = OverridesSource(store)
    with Runtime([base, overrides], modules=MODULES) as runtime:
        ask = Client(runtime)

        def put(number):
            name = names[number % TARGETS]
            pair = {"one": number, "two": number}
            path = f"modules/{name}/config"
            return number, ask("PUT", path, pair, if_match="*")

        acts = [lambda number=number: put(number) for number in range(WRITERS)]
        random.Random(7).shuffle(acts)
        answers = all_at_once(acts)

        last = {}
        for number, answer in sorted(answers, key=lambda a: a[1].content["generation"]):
            assert answer.status == 200, answer.content
            last[names[number % TARGETS]] = {"one": number, "two": number}
        generations = [answer.content["generation"] for _, answer in answers]
        assert sorted(generations) == [*range(2, WRITERS + 2)]
        assert {name: runtime.module(name).config for name in names} == last
        tree = overrides.head().tree["modules"]
        assert {name: dict(tree[name]["config"]) for name in names} == {
            name: {"$patch": "replace", **pair} for name, pair in last.items()
        }
        for name in names:  # each step saw whole values
            assert all(e["one"] == e["two"] for e in runtime.module(name).seen)


def test_of_writers_with_one_tag_one_wins(ask, runtime):
    """All others are told that it has changed."""
    tag = ask("PUT", CONFIG, {"rate": 1}).headers["ETag"]
    acts = [
        lambda rate=rate: ask("PUT", CONFIG, {"rate": rate}, if_match=tag)
        for rate in range(2, 18)
    ]
    answers = all_at_once(acts)

    assert sorted(answer.status for answer in answers) == [200] + [412] * 15
    assert runtime.snapshot.generation == 3


def test_a_refused_put_takes_no_other_with_it(ask, runtime, overrides):
    """Good and bad ones at the same time: the good are in force, the bad are not."""
    acts = [
        lambda rate=rate, name=name: ask(
            "PATCH", f"modules/{name}/config", {"rate": rate}, if_match="*"
        )
        for rate, name in [(5, "api"), (-1, "web"), (100, "web"), (6, "api")] * 4
    ]
    answers = all_at_once(acts)

    assert [answer.status for answer in answers] == [200, 422, 422, 200] * 4
    assert runtime.module("web").config["rate"] == 1
    assert runtime.module("api").config["rate"] in {5, 6}
    assert list(overrides.head().tree["modules"]) == ["api"]


class Slow(Limiter):
    """Waits in its step until it is told to go on."""

    begun, go = threading.Event(), threading.Event()

    @hookimpl
    def reconfigure(self, config):
        type(self).begun.set()
        type(self).go.wait(DUE)
        self.config = config


@pytest.fixture
def slow():
    """Return the class of a module that waits."""
    kind: Any = type("SlowHere", (Slow,), {"begun": threading.Event()})
    kind.go = threading.Event()
    yield kind
    kind.go.set()


def test_a_put_during_an_apply_waits_its_turn(base, overrides, slow):
    """It is neither lost nor mixed into the change under way."""
    with Runtime([base, overrides], modules={**MODULES, "limiter": slow}) as runtime:
        ask, answers = Client(runtime), []

        def put(rate):
            answers.append(ask("PATCH", CONFIG, {"rate": rate}, if_match="*"))

        first = threading.Thread(target=put, args=(5,))
        first.start()
        assert slow.begun.wait(DUE)
        second = threading.Thread(target=put, args=(6,))
        second.start()
        slow.go.set()
        for thread in (first, second):
            thread.join(DUE)

        assert [answer.status for answer in answers] == [200, 200]
        assert [answer.content["generation"] for answer in answers] == [2, 3]
        assert runtime.module("api").config["rate"] == 6


def test_a_put_during_a_rollback_of_a_step_waits_as_well(ask, runtime):
    """The change that is undone is gone, and the other one is in force."""
    acts = [
        lambda: ask("PATCH", CONFIG, {"rate": 100}, if_match="*"),
        lambda: ask("PATCH", "modules/web/config", {"rate": 7}, if_match="*"),
        lambda: ask("POST", "rollback", {"generation": 1}),
    ]
    statuses = [answer.status for answer in all_at_once(acts)]

    assert statuses == [422, 200, 200]
    assert runtime.module("api").config["rate"] == 1
    assert runtime.module("web").config["rate"] in {1, 7}


@pytest.mark.parametrize("origin", ["file", "put"])
def test_a_put_inside_a_hook_is_stored_and_applied_afterwards(base, overrides, origin):
    """It cannot wait for the change that it is a part of; nothing hangs."""
    answers: list[Any] = []

    class Caller(Limiter):
        @hookimpl
        def reconfigure(self, config):
            self.config = config
            if self.name == "api" and not answers:
                path = "modules/web/config"
                answers.append(ask("PATCH", path, {"rate": 9}, if_match="*"))

    modules = {**MODULES, "limiter": Caller}
    with Runtime([base, overrides], modules=modules) as runtime:
        ask = Client(runtime)
        if origin == "put":
            assert ask("PATCH", CONFIG, {"rate": 5}).status == 200
        else:
            changed = [entry("api", rate=5), *BASE["modules"][1:]]
            base.set({**BASE, "modules": changed})
            runtime.reload()
        runtime.wait(3, DUE)

        assert (answers[0].status, answers[0].content["status"]) == (202, "stored")
        assert runtime.module("api").config["rate"] == 5
        assert runtime.module("web").config["rate"] == 9


def test_a_put_to_a_stopped_runtime_stores_nothing(base, overrides):
    """503, and when to try again."""
    with Runtime([base, overrides], modules=MODULES) as runtime:
        ask = Client(runtime)
    answer = ask("PUT", CONFIG, {"rate": 5})

    assert (answer.status, answer.content["code"]) == (503, "E_STOPPED")
    assert answer.headers["Retry-After"]
    assert overrides.head().tree == {}


def test_a_put_during_the_shutdown_is_not_kept(base, overrides):
    """What nobody could judge any more is taken back; 503 says to try again."""
    stopping, go = threading.Event(), threading.Event()

    class Lingers(Limiter):
        @hookimpl
        def stop(self):
            stopping.set()
            go.wait(DUE)

    modules = {**MODULES, "limiter": Lingers}
    with Runtime([base, overrides], modules=modules) as runtime:
        ask = Client(runtime)
        thread = threading.Thread(target=runtime.stop)
        thread.start()
        assert stopping.wait(DUE)
        answer = ask("PUT", CONFIG, {"rate": 5})
        go.set()
        thread.join(DUE)

    assert (answer.status, answer.content["code"]) == (503, "E_STOPPED")
    assert answer.headers["Retry-After"]
    assert overrides.head().tree == {}
