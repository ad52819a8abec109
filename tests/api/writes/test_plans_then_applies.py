"""A change is looked at first, and carried out only if nothing else has changed."""

from __future__ import annotations

from typing import Any

import pytest

from midflight import Plan, Runtime, hookimpl
from midflight_plugins.api import Caller
from midflight_plugins.api._plans import Plans
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

from .conftest import BASE, CONFIG, MODULES, Client, entry

CHANGES: dict[str, Any] = {
    "config": {"module": "api", "config": {"rate": 5}},
    "patch": {"module": "api", "patch": {"rate": 5}},
    "several": {
        "modules": {"api": {"patch": {"rate": 5}}, "web": {"config": {"rate": 6}}}
    },
}


@pytest.fixture
def plan(ask):
    """Return a function that plans, and returns what was told."""

    def plan(**body):
        answer = ask("POST", "plan", body)
        assert answer.status == 200, answer.content
        return answer.content

    return plan


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_planned_is_what_is_done(ask, runtime, plan, change):
    """It leads to the very digest that was told, and did nothing before."""
    told = plan(**change)
    before = runtime.snapshot.generation
    done = ask("POST", "apply", {"token": told["token"]})

    assert before == 1
    assert (done.status, done.content["status"]) == (200, "ok")
    assert runtime.snapshot.digest == done.content["digest"] == told["desired"]
    assert runtime.module("api").config["rate"] == 5


def test_a_plan_tells_steps_reasons_and_values(plan):
    """What would be done to which module, and why."""
    told = plan(module="log", patch={"level": "DEBUG"})
    [step] = told["steps"]

    assert (step["action"], step["module"]) == ("restart", "log")
    assert "modules.log.config.level" in step["paths"]
    change = {"path": "modules.log.config.level", "old": "INFO", "new": "DEBUG"}
    assert change in told["changes"]
    assert told["verdict"] == "apply"
    assert told["expires"] > 0


def test_to_take_an_override_away_can_be_planned(ask, runtime, plan):
    """As any other change."""
    ask("PUT", CONFIG, {"rate": 5})
    told = plan(module="api", remove=True)
    ask("POST", "apply", {"token": told["token"]})

    assert runtime.module("api").config["rate"] == 1


def test_a_plan_of_nothing_is_that_of_what_the_source_holds(ask, base, runtime):
    """POST gives a token for it; GET only looks."""
    base.set({**BASE, "modules": [entry("api", rate=2), *BASE["modules"][1:]]})
    looked, planned = ask("GET", "plan").content, ask("POST", "plan").content
    before = runtime.module("api").config["rate"]
    done = ask("POST", "apply", {"token": planned["token"]})

    assert looked["token"] is None
    assert looked["desired"] == planned["desired"] == done.content["digest"]
    assert (before, runtime.module("api").config["rate"]) == (1, 2)


def test_a_plan_on_something_else_is_not_carried_out(ask, base, runtime, plan, state):
    """409, whether another change was applied, stored, or made below."""
    told = plan(module="api", patch={"rate": 5})
    ask("PATCH", "modules/web/config", {"rate": 2})
    before = state()
    assert ask("POST", "apply", {"token": told["token"]}).status == 409
    assert state() == before

    told = plan()
    base.set({**BASE, "limits": {"total": 6}})
    assert ask("POST", "apply", {"token": told["token"]}).status == 409
    told = plan(module="api", patch={"rate": 5})
    runtime.reload()
    assert ask("POST", "apply", {"token": told["token"]}).status == 409


def test_a_plan_is_good_for_one_use(ask, plan):
    """A second one finds nothing; nor does a guess."""
    token = plan(module="api", patch={"rate": 5})["token"]
    ask("POST", "apply", {"token": token})

    assert ask("POST", "apply", {"token": token}).status == 404
    assert ask("POST", "apply", {"token": "guess"}).status == 404


def test_a_plan_grows_old(ask, plan):
    """After ten minutes it is made again."""
    now = [0.0]
    ask.api.plans = Plans(lambda: now[0])
    told, late = (plan(module="api", patch={"rate": 5}) for _ in range(2))
    now[0] = 599
    assert ask("POST", "apply", {"token": told["token"]}).status == 200
    now[0] = 601

    assert ask("POST", "apply", {"token": late["token"]}).status == 404


def test_plans_do_not_pile_up(ask, runtime, plan):
    """The oldest are forgotten, of who makes that many."""
    reader = Client(runtime, Caller("reader", ("read",)))
    first = reader("POST", "plan").content["token"]
    tokens = [plan()["token"] for _ in range(65)]

    assert ask("POST", "apply", {"token": tokens[0]}).status == 404
    assert ask("POST", "apply", {"token": first}).status == 200
    assert ask("POST", "apply", {"token": tokens[-1]}).status == 200


def test_a_refused_plan_is_told_and_keeps_nothing(ask, plan, state):
    """A module may still refuse what was planned."""
    told = plan(module="api", patch={"rate": -1})
    before = state()
    answer = ask("POST", "apply", {"token": told["token"]})

    assert (answer.status, answer.content["code"]) == (422, "E_PREPARE")
    assert state() == before


@pytest.mark.parametrize(
    "body",
    [
        {"module": "api"},
        {"module": "api", "config": {}, "patch": {}},
        {"module": "api", "config": {"a": 1}, "patch": {"a": 1}},
        {"module": "api", "remove": 1},
        {"module": "api", "config": [1]},
        {"module": 7, "config": {}},
        {"config": {}},
        {"modules": [1]},
        {"modules": {"api": 7}},
        {"module": "api", "patch": {"password": "in-clear"}},
    ],
)
def test_a_plan_says_just_what_shall_be_done(ask, body):
    """Anything else is refused."""
    assert ask("POST", "plan", body).status == 422


def test_who_applies_may_write_to_each_module(runtime, ask, plan):
    """A plan for two modules needs both scopes, and is not used up by who has one."""
    told = plan(**CHANGES["several"])
    one = Client(runtime, Caller("one", ("write:api",)))
    both = Client(runtime, Caller("both", ("write:api", "write:w*")))
    refused = one("POST", "apply", {"token": told["token"]})

    assert (refused.status, refused.content["code"]) == (403, "E_SCOPE")
    assert both("POST", "apply", {"token": told["token"]}).status == 200


def test_who_may_write_to_a_module_may_not_change_a_section(runtime, base):
    """That could change every module."""
    base.set({**BASE, "limits": {"total": 6}})
    ask = Client(runtime, Caller("one", ("write:api",)))
    token = ask("POST", "plan").content["token"]

    assert ask("POST", "apply", {"token": token}).status == 403


@pytest.mark.parametrize(
    "change", [{}, {"module": "api", "config": {**BASE["modules"][0]["config"]}}]
)
def test_a_plan_of_what_is_in_force_is_no_way_in(runtime, overrides, change):
    """It changes nothing that runs; to store it is to write all the same."""
    for scopes in (("read",), ("write:web",)):
        ask = Client(runtime, Caller("token ci", scopes))
        token = ask("POST", "plan", change).content["token"]
        answer = ask("POST", "apply", {"token": token})
        assert (answer.status, answer.content["code"]) == (403, "E_SCOPE")

    assert overrides.head().tree == {}


@pytest.mark.parametrize("strategy", ["surgical", "hold"])
def test_nobody_carries_out_what_was_not_looked_at(base, overrides, strategy):
    """A layer below has changed since: 409, and nothing is stored or in force."""
    with Runtime([base, overrides], modules=MODULES, strategy=strategy) as runtime:
        ask = Client(runtime, Caller("token ci", ("write:api",)))
        told = ask("POST", "plan", CHANGES["patch"]).content
        base.set({**BASE, "limits": {"total": 99}})
        answer = ask("POST", "apply", {"token": told["token"]})

        assert (answer.status, answer.content["code"]) == (409, "E_CONFLICT")
        assert "reload" in answer.content["detail"]
        assert runtime.snapshot.digest == told["base"]
    assert overrides.head().tree == {}


def test_a_plan_on_what_waits_is_carried_out_with_it(base, overrides):
    """Who applies it has looked at both."""
    with Runtime([base, overrides], modules=MODULES, strategy="hold") as runtime:
        ask = Client(runtime)
        ask("PATCH", CONFIG, {"rate": 5})
        told = ask("POST", "plan", {"module": "web", "patch": {"rate": 6}}).content
        done = ask("POST", "apply", {"token": told["token"]})

        assert (done.status, done.content["status"]) == (200, "ok")
        assert runtime.module("api").config["rate"] == 5
        assert runtime.snapshot.digest == told["desired"]


@pytest.mark.parametrize("change", [{}, CHANGES["patch"]])
def test_to_apply_is_to_approve(base, overrides, change):
    """A plan that the strategy holds is carried out by who has looked at it."""

    class Holds:
        @hookimpl
        def on_change(self, change):
            return Plan.hold(Plan.full(change.diff).steps, "wait for the night")

    layers = [base, overrides]
    with Runtime(layers, modules=MODULES, strategy=Holds()) as runtime:
        ask = Client(runtime)
        if not change:
            ask("PATCH", CONFIG, {"rate": 5})
        told = ask("POST", "plan", change).content
        done = ask("POST", "apply", {"token": told["token"]})

        assert told["verdict"] == "hold"
        assert (done.status, done.content["status"]) == (200, "ok")
        assert runtime.module("api").config["rate"] == 5
        assert runtime.snapshot.digest == told["desired"]


def test_a_plan_on_another_store_is_not_carried_out(base):
    """Also if what was stored meanwhile is not in force yet."""
    store = MemorySource()
    with Runtime([base, OverridesSource(store)], modules=MODULES) as runtime:
        ask = Client(runtime)
        told = ask("POST", "plan", CHANGES["patch"]).content
        store.set({"limits": {"total": 6}})
        answer = ask("POST", "apply", {"token": told["token"]})

        assert (answer.status, answer.content["code"]) == (409, "E_CONFLICT")
        assert runtime.module("api").config["rate"] == 1
