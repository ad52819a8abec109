"""What was in force comes back, as a new generation, whatever changed in between."""

from __future__ import annotations

from typing import Any

import pytest

from midflight import Document, Runtime
from midflight_plugins.api import Caller
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

from .conftest import BASE, CONFIG, MODULES, Client, entry


def raw(runtime):
    """Return the digest of what was read for the generation in force."""
    return runtime.snapshot.loaded.document.digest


def back(ask, **where):
    """Roll back."""
    return ask("POST", "rollback", where)


@pytest.mark.parametrize("by", ["generation", "digest"])
def test_a_generation_comes_back(ask, runtime, by):
    """By its number or its digest; it is a new one, and the digest is the same."""
    ask("PATCH", CONFIG, {"rate": 5, "deep": None})
    then, digest = raw(runtime), runtime.snapshot.digest
    ask("PUT", CONFIG, {"rate": 6}, if_match="*")
    answer = back(ask, **{by: 2 if by == "generation" else digest})

    assert (answer.status, answer.content["status"]) == (200, "ok")
    assert answer.content["generation"] == 4
    assert runtime.snapshot.digest == answer.content["digest"] == digest
    assert raw(runtime) == then
    assert runtime.module("api").config == {"rate": 5, "hosts": ("a",)}


def test_the_layer_is_as_it_was_if_nothing_below_has_changed(ask, overrides):
    """No trace is left of what came after."""
    ask("PATCH", CONFIG, {"rate": 5})
    then = overrides.head().tree
    ask("PATCH", "modules/web/config", {"rate": 9, "more": {"x": 1}})
    back(ask, generation=2)

    assert overrides.head().tree == then


BELOW = {
    "a value": {**BASE, "modules": [entry("api", rate=8), *BASE["modules"][1:]]},
    "shapes": {
        **BASE,
        "modules": [
            entry("api", rate=1, hosts={"a": 1}, deep=[1]),
            *BASE["modules"][1:],
        ],
    },
    "a module more": {**BASE, "modules": [*BASE["modules"], entry("new", rate=1)]},
    "a module less": {**BASE, "modules": BASE["modules"][1:]},
    "another type": {
        **BASE,
        "modules": [entry("api", "fixed", rate=1), *BASE["modules"][1:]],
    },
    "a dependency": {
        **BASE,
        "modules": [
            {**entry("api", rate=1), "dependsOn": ["web"]},
            *BASE["modules"][1:],
        ],
    },
    "a section": {**BASE, "limits": [5], "more": {"x": {"y": None}}},
    "no section": {"modules": BASE["modules"]},
    "all of it": {"modules": [entry("other", rate=1)], "other": {"x": 1}},
}


@pytest.mark.parametrize("stored", [None, {"x": {"y": [1]}}])
@pytest.mark.parametrize("below", BELOW.values(), ids=BELOW)
def test_it_comes_back_though_the_layers_below_have_changed(
    ask, runtime, base, below, stored
):
    """There and back: both are in force again to the last key."""
    if stored:
        ask("PUT", "overrides?path=extra", {"value": stored})
    first, then = runtime.snapshot.generation, raw(runtime)
    base.set(below)
    assert runtime.reload().ok
    ask.api.kept.note(runtime.snapshot)
    second, now = runtime.snapshot.generation, raw(runtime)
    assert now != then

    assert back(ask, generation=first).status == 200
    assert raw(runtime) == then
    assert back(ask, generation=second).status == 200
    assert raw(runtime) == now


def test_a_dependency_that_was_not_there_goes_away_again(ask, runtime, base):
    """An empty list says nothing in a layer, so the whole entry is replaced."""
    needs = [{**entry("api", rate=1), "dependsOn": ["web"]}, *BASE["modules"][1:]]
    base.set({**BASE, "modules": needs})
    ask.api.kept.note(runtime.snapshot)
    runtime.reload()

    assert back(ask, generation=1).status == 200
    assert runtime.snapshot.document.modules["api"].depends_on == ()


@pytest.mark.parametrize(
    ("where", "path", "old", "new"),
    [
        ({"generation": 3}, "modules.api.config.rate", 5, 1),
        ({"layer": "overrides", "version": 1}, "modules.api.config.rate", 5, 1),
        ({"layer": "memory", "version": 1}, "limits.total", 6, 5),
    ],
)
def test_what_it_would_do_is_told_and_not_done(ask, base, state, where, path, old, new):
    """`?dry_run=true` answers the plan and the changes, and all stays as it is."""
    base.set({**BASE, "limits": {"total": 6}})
    ask.api.runtime.reload()
    ask("PATCH", "modules/web/config", {"rate": 2})
    ask("PATCH", CONFIG, {"rate": 5})
    if where.get("layer") == "overrides":
        where = {**where, "layer": ask("GET", "overrides").content["layer"]}
    before = state(), len(ask("GET", "versions?layer=memory").content["versions"])
    told = ask("POST", "rollback?dry_run=true", where)

    assert told.status == 200
    assert told.content["verdict"] == "apply"
    assert told.content["changes"] == [{"path": path, "old": old, "new": new}]
    after = state(), len(ask("GET", "versions?layer=memory").content["versions"])
    assert after == before
    assert back(ask, **where).content["digest"] == told.content["desired"]


def test_a_way_back_that_is_not_there_has_no_plan(ask):
    """It is refused as the rollback would be."""
    for where, status in (({"digest": "0" * 64}, 410), ({"generation": 9}, 404)):
        assert ask("POST", "rollback?dry_run=true", where).status == status


def test_a_refused_way_back_keeps_nothing(ask, runtime, state):
    """Where a module does not take the old values any more, all stays as it is."""
    ask("PATCH", CONFIG, {"rate": 5})
    ask("PATCH", CONFIG, {"rate": 6}, if_match="*")

    def refuse(config):
        raise ValueError("not that again")

    before = state()
    runtime.module("api").config = None
    runtime.module("api").seen = type("Full", (), {"append": staticmethod(refuse)})
    answer = back(ask, generation=2)

    assert (answer.status, answer.content["outcome"]) == (422, "rolled_back")
    assert state()[:2] == before[:2]


def test_what_is_not_kept_is_gone(ask):
    """410 for what was there once, 404 for what never was."""
    assert back(ask, digest="0" * 64).status == 410
    assert back(ask, generation=9).status == 404
    assert back(ask, generation=0).status == 404


def test_what_the_state_directory_kept_comes_back(base, tmp_path):
    """Also what an earlier process had in force."""
    store = f"file:{tmp_path}/overrides.yaml"
    more: dict[str, Any] = {"modules": MODULES, "state_dir": tmp_path / "state"}
    with Runtime([base, OverridesSource(store)], **more) as runtime:
        ask = Client(runtime)
        ask("PATCH", CONFIG, {"rate": 5})
        digest = runtime.snapshot.digest
        ask("PATCH", CONFIG, {"rate": 6, "deep": None}, if_match="*")
    with Runtime([base, OverridesSource(store)], **more) as runtime:
        assert runtime.module("api").config["rate"] == 6
        assert back(Client(runtime), digest=digest).status == 200

        assert runtime.snapshot.digest == digest
        assert runtime.module("api").config["rate"] == 5


# -- a version that a layer stores -------------------------------------------------


def test_a_stored_version_of_a_layer_comes_back(ask, base, runtime):
    """As a new version of it, with who did it and why."""
    base.set({**BASE, "modules": [entry("api", rate=8), *BASE["modules"][1:]]})
    runtime.reload()
    answer = back(ask, layer="memory", version=1, message="too loud")

    assert answer.status == 200
    assert runtime.module("api").config["rate"] == 1
    [newest] = Runtime(base).history(1)
    assert (newest.version, newest.author, newest.message) == (3, "ada", "too loud")


def test_a_stored_version_that_is_refused_is_put_back(ask, base, runtime):
    """The layer holds what it held, and all runs as before."""
    base.set({**BASE, "modules": [entry("api", rate=-1), *BASE["modules"][1:]]})
    good = base.set(BASE)
    runtime.reload()
    before = raw(runtime)
    answer = back(ask, layer="memory", version=good - 1)

    assert (answer.status, answer.content["code"]) == (422, "E_PREPARE")
    assert raw(runtime) == before
    assert (
        Runtime(base).read()[0].modules.keys()
        == Document.from_mapping(BASE).modules.keys()
    )
    assert runtime.status()["state"] == "healthy"


def test_a_version_of_the_overrides_comes_back(ask, overrides, runtime):
    """Their layer is one as any other."""
    ask("PATCH", CONFIG, {"rate": 5})
    ask("PATCH", CONFIG, {"rate": 6}, if_match="*")
    layer = ask("GET", "overrides").content["layer"]

    assert back(ask, layer=layer, version=1).status == 200
    assert runtime.module("api").config["rate"] == 5


@pytest.mark.parametrize(
    ("where", "status"),
    [
        ({"layer": "memory", "version": 99}, 410),
        ({"layer": "nowhere", "version": 1}, 404),
        ({"layer": "memory", "version": [1]}, 422),
        ({"layer": "memory"}, 422),
        ({"generation": 1, "digest": "0"}, 422),
        ({"generation": "1"}, 422),
        ({"generation": True}, 422),
        ({}, 422),
    ],
)
def test_a_rollback_says_just_where_to(ask, where, status):
    """Anything else is refused."""
    assert back(ask, **where).status == status


def test_a_layer_without_versions_has_no_way_back(overrides):
    """409: it was never kept."""
    layers = [{"type": "env", "prefix": "NOTHING_HERE"}, MemorySource(BASE), overrides]
    with Runtime(layers, modules=MODULES) as runtime:
        ask = Client(runtime)
        name = runtime.status()["sources"][1]["name"]

        assert back(ask, layer=name, version=1).status == 409


def test_a_rollback_needs_its_own_scope(runtime):
    """Who may write may not roll back, and the other way round."""
    writer = Client(runtime, Caller("writer", ("write:*",)))
    roller = Client(runtime, Caller("roller", ("rollback",)))

    assert back(writer, generation=1).status == 403
    assert back(roller, generation=1).status == 200
    assert roller("PUT", CONFIG, {}).status == 403
