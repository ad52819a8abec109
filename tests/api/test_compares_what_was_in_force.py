"""What differs between configurations that were in force, and what is kept of them."""

from __future__ import annotations

import pytest

from midflight import Runtime
from midflight_plugins.api import ROUTES, Api, Caller, Request
from midflight_plugins.api._kept import Kept
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

from .conftest import BASE, CONFIG, MODULES


def changes(answer):
    """Return the changes of an answer by path."""
    return {each.pop("path"): each for each in answer.content["changes"]}


def test_what_differs_is_told(runtime, overrides, ask):
    """Names, counts and values; a side that has no value is left out."""
    first = runtime.snapshot.digest
    overrides.set("modules.api.config.rate", 2)
    overrides.set("modules.log.config.level", "INFO")
    overrides.set("limits", {"c": 1})
    second = runtime.snapshot.digest
    answer = ask("GET", "diff", base=first, digest=second)

    assert answer.status == 200
    assert answer.content["modified"] == ["api", "log"]
    assert answer.content["totals"]["sections"] == 1
    told = changes(answer)
    assert told["modules.api.config.rate"] == {"old": 1, "new": 2}
    assert told["modules.log.config.level"] == {"new": "INFO"}
    back = changes(ask("GET", "diff", base=second, digest=first))
    assert back["modules.log.config.level"] == {"old": "INFO"}


def test_a_secret_that_differs_is_masked_on_both_sides(runtime, overrides, ask):
    """That it differs can be seen, and nothing else."""
    first = runtime.snapshot.digest
    overrides.set("modules.api.config.password", "hush-2")
    answer = ask("GET", "diff", base=first, digest=runtime.snapshot.digest)

    told = changes(answer)["modules.api.config.password"]
    assert told == {"old": "********", "new": "********"}
    assert "hush" not in answer.text


@pytest.mark.parametrize("side", ["base", "digest"])
def test_what_was_never_in_force_is_not_compared(runtime, ask, side):
    """410, as for all that is not kept."""
    both = {"base": runtime.snapshot.digest, "digest": runtime.snapshot.digest}
    answer = ask("GET", "diff", **{**both, side: "0" * 64})

    assert (answer.status, answer.content["code"]) == (410, "E_UNKNOWN")


@pytest.mark.parametrize("query", [{}, {"base": "0" * 64}, {"digest": "0" * 64}])
def test_both_sides_have_to_be_named(runtime, ask, query):
    """There is no default that could be meant."""
    answer = ask("GET", "diff", **query)

    assert (answer.status, answer.content["code"]) == (400, "E_REQUIRED")


# -- of many modules, which are not kept whole ----------------------------------------

MANY = 2_001


def kept(runtime, number):
    """Return what is kept of a generation."""
    found = Kept.of(runtime).generation(number)
    assert found is not None
    return found


def many(rate):
    """Return a configuration that is too large to be kept whole."""
    rows = [{"name": f"m{at}", "type": "fixed", "config": {}} for at in range(MANY)]
    rows[0] = {"name": "m0", "type": "limiter", "config": {**CONFIG, "rate": rate}}
    return {**BASE, "modules": rows}


class Asking:
    """Asks the API of a runtime, as its owner."""

    def __init__(self, runtime):
        self.api = Api.of(runtime)

    def __call__(self, operation, body=b"", **query):
        (route,) = [each for each in ROUTES if each.operation == operation]
        headers = {"content-type": "application/json"} if body else {}
        request = Request(Caller("ada", ("admin",)), {}, query, headers, body)
        return self.api.answer(route, request)


@pytest.fixture(params=[True, False], ids=["with a state", "without"])
def state(request, tmp_path):
    """Return a state directory, or none."""
    return tmp_path / "state" if request.param else None


@pytest.fixture
def large(state):
    """Return a large runtime of two layers, the lower one, and what asks it."""
    base, overrides = MemorySource(many(1)), OverridesSource()
    with Runtime([base, overrides], modules=MODULES, state_dir=state) as runtime:
        overrides.set("modules.m0.config.rate", 2)
        overrides.set("modules.m0.config.rate", 3)
        yield runtime, base, Asking(runtime)


def test_what_is_large_is_kept_small(large):
    """Of many modules only the layer of the overrides stays, and digests."""
    runtime, _, _ = large
    all_of_them = [kept(runtime, number) for number in (1, 2, 3)]

    assert [each.raw for each in all_of_them] == [None] * 3
    assert [each.document for each in all_of_them] == [None] * 3
    held = [each.held for each in all_of_them]
    assert [len(each.modules) for each in held if each is not None] == [0, 1, 1]


def test_overrides_go_back_above_the_same_layers(large):
    """What differs is told and undone, with a state directory or without."""
    runtime, _, ask = large
    digest = kept(runtime, 2).digest
    told = ask("getDiff", base=digest, digest=runtime.snapshot.digest)
    (change,) = told.content["changes"]

    assert change == {"path": "modules.m0.config.rate", "old": 2, "new": 3}
    assert ask("rollback", b'{"generation": 2}').status == 200
    assert runtime.snapshot.digest == digest


def test_above_other_layers_it_takes_what_the_state_kept(large, state):
    """The digests of the lower layers tell, and then it is the state's to know."""
    runtime, base, ask = large
    first = kept(runtime, 3).digest
    base.set({**many(1), "limits": {"x": 1}})
    assert runtime.reload().ok
    second = runtime.snapshot.digest
    told = ask("getDiff", base=first, digest=second)
    back = ask("rollback", b'{"generation": 3}')

    assert (told.status, back.status) == ((200, 200) if state else (410, 410))
    assert runtime.snapshot.digest == (first if state else second)
