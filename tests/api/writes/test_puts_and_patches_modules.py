"""A module's configuration is replaced, patched and given back, or left as it was."""

from __future__ import annotations

import threading

import pytest

from midflight import Plan, Runtime, hookimpl
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

from .conftest import BASE, CONFIG, MODULES, Client, Limiter, entry


def config_of(runtime, name="api"):
    """Return what is in force, without what is not ours."""
    return dict(runtime.snapshot.document.modules[name].config)


def stored(overrides, name="api"):
    """Return what the layer holds of a module's configuration."""
    return overrides.head().tree.get("modules", {}).get(name, {}).get("config")


def test_a_put_is_in_force_when_it_is_answered(ask, runtime):
    """The answer names the generation, and the module has the very values."""
    answer = ask("PUT", CONFIG, {"rate": 5})

    assert (answer.status, answer.content["status"]) == (200, "ok")
    assert answer.content["module"] == "api"
    assert answer.content["generation"] == runtime.snapshot.generation == 2
    assert runtime.module("api").config == {"rate": 5}


def test_an_empty_body_leaves_no_key(ask, runtime):
    """Nothing of the lower layers is left."""
    assert ask("PUT", CONFIG, {}).status == 200
    assert runtime.module("api").config == {}


def test_a_patch_stores_only_what_it_touches(ask, runtime, overrides, base):
    """What lower layers say of other keys goes on counting."""
    ask("PATCH", CONFIG, {"rate": 7, "deep": {"x": 9}, "burst": 3})
    patched = [entry("api", rate=1, hosts=["b"], deep={"x": 1, "y": 3})]
    base.set({"modules": [*patched, *BASE["modules"][1:]]})
    runtime.reload()

    assert stored(overrides) == {"rate": 7, "deep": {"x": 9}, "burst": 3}
    assert runtime.module("api").config == {
        "rate": 7, "hosts": ("b",), "deep": {"x": 9, "y": 3}, "burst": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"deep": None}, {"rate": 1, "hosts": ("a",)}),
        ({"deep": {"x": None}}, {"rate": 1, "hosts": ("a",), "deep": {"y": 2}}),
        ({"deep": [1]}, {"rate": 1, "hosts": ("a",), "deep": (1,)}),
        ({"hosts": {"n": 1}, "deep": None}, {"rate": 1, "hosts": {"n": 1}}),
        ({"hosts": None, "deep": {"x": {"z": 1}, "y": None}},
         {"rate": 1, "deep": {"x": {"z": 1}}}),
        ({"new": {"a": {"b": None}}, "deep": None, "hosts": None},
         {"rate": 1, "new": {"a": {}}}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [{}, {"deep": {"x": 5}, "hosts": ["z"]}])
def test_a_patch_is_a_merge_patch_whatever_the_shapes(
    ask, runtime, patch, expected, before
):
    """Null removes, mappings merge, and one shape replaces another."""
    if before:
        ask("PATCH", CONFIG, before)
        ask("PATCH", CONFIG, {"deep": {"x": 1}, "hosts": ["a"]}, if_match="*")

    assert ask("PATCH", CONFIG, patch, if_match="*").status == 200
    assert runtime.module("api").config == expected


def test_a_patch_on_top_of_a_put_keeps_to_what_was_put(ask, runtime, overrides):
    """Below a replaced configuration nothing of the lower layers shines through."""
    ask("PUT", CONFIG, {"rate": 5, "deep": {"z": 1}})
    ask("PATCH", CONFIG, {"rate": None, "deep": {"w": 2}}, if_match="*")

    assert runtime.module("api").config == {"deep": {"z": 1, "w": 2}}
    assert stored(overrides) == {"$patch": "replace", "deep": {"z": 1, "w": 2}}


def test_a_delete_lets_the_layers_below_count_again(ask, runtime, overrides):
    """Nothing is left in the layer; a second one finds nothing."""
    tag = ask.tag()
    ask("PUT", CONFIG, {"rate": 5})
    answer = ask("DELETE", CONFIG, if_match="*")

    assert answer.status == 200
    assert answer.headers["ETag"] == tag
    assert overrides.head().tree == {}
    assert runtime.module("api").config["rate"] == 1
    assert ask("DELETE", CONFIG).status == 404


def test_who_has_not_looked_does_not_overwrite(ask, state):
    """Once there is an override, a change names what it is based on."""
    first = ask.tag()
    second = ask("PUT", CONFIG, {"rate": 5}).headers["ETag"]
    before = state()

    for tag, status in ((None, 428), (first, 412), (f"W/{second}", 412)):
        headers = {"if_match": tag} if tag else {}
        for method in ("PUT", "PATCH"):
            assert ask(method, CONFIG, {"rate": 6}, **headers).status == status
        assert ask("DELETE", CONFIG, **headers).status == status
    assert state() == before
    assert ask("PUT", CONFIG, {"rate": 6}, if_match=f'"x", {second}').status == 200


def test_the_tag_changes_with_what_lies_below(ask, runtime, base):
    """It covers what is in force, not only what is stored."""
    tag = ask.tag()
    base.set({"modules": [entry("api", rate=2), *BASE["modules"][1:]]})
    runtime.reload()

    assert ask("PUT", CONFIG, {"rate": 3}, if_match=tag).status == 412
    assert ask.tag("modules/web/config") == ask.tag("modules/web/config") != tag


@pytest.mark.parametrize(
    ("rate", "code", "outcome"),
    [(-1, "E_PREPARE", "rejected"), (100, "E_STEP", "rolled_back")],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_refused_change_leaves_everything_as_it_was(
    ask, runtime, state, method, rate, code, outcome
):
    """The reason is the module's; the store, the digest and the probe are as before."""
    ask("PUT", CONFIG, {"rate": 5})
    before = state()
    answer = ask(method, CONFIG, {"rate": rate}, if_match="*")

    assert answer.status == 422
    assert answer.kind == "application/problem+json"
    assert (answer.content["code"], answer.content["outcome"]) == (code, outcome)
    assert "Error" in answer.content["detail"]
    assert answer.content["faults"][0]["path"].startswith("modules.api")
    assert "as before" in answer.content["notes"][0]
    assert state() == before
    assert runtime.status()["state"] == "healthy"


@pytest.mark.parametrize("rate", [5, -5])
def test_a_change_beside_an_older_fault_is_not_kept(ask, base, runtime, state, rate):
    """Nobody can tell what its module makes of it; the answer names the fault."""
    wrong = [*BASE["modules"], entry("bad", "nowhere")]
    base.set({**BASE, "modules": wrong})
    runtime.reload()
    before = state()
    answer = ask("PATCH", CONFIG, {"rate": rate})

    assert (answer.status, answer.content["code"]) == (409, "E_CONFLICT")
    assert [each["code"] for each in answer.content["faults"]] == ["E_MODULETYPE"]
    assert "is refused already because of" in answer.content["detail"]
    assert state() == before


def test_a_change_that_mends_an_older_fault_is_kept(ask, base, runtime):
    """Also if another one stands: it is stored, and the answer names that."""
    wrong = [entry("api", rate=-1), entry("web", rate=-1), entry("bad", "nowhere")]
    base.set({"modules": wrong})
    runtime.reload()
    kind = "overrides?path=modules.bad.type&restart=allow"
    mended = ask("PUT", kind, {"value": "limiter"})
    rest = {"api": {"config": {"rate": 5}}, "web": {"config": {"rate": 5}}}
    value = {"bad": {"type": "limiter"}, **rest}
    whole = ask("PUT", "overrides?path=modules&restart=allow", {"value": value})

    assert mended.status == 422
    assert whole.status == 200, whole.content
    assert runtime.module("api").config["rate"] == 5


def test_a_patch_adds_to_what_is_stored_and_not_in_force(base):
    """What waits for an approval is not lost."""
    overrides = OverridesSource()
    layers = [base, overrides]
    with Runtime(layers, modules=MODULES, strategy="hold") as runtime:
        ask = Client(runtime)
        first = ask("PATCH", CONFIG, {"new": {"a": 1}, "hosts": {"n": 1}})
        ask("PATCH", CONFIG, {"new": {"b": 2}, "hosts": {"m": 2}}, if_match="*")
        runtime.approve()

        assert first.status == 202
        config = runtime.module("api").config
        assert config["new"] == {"a": 1, "b": 2}
        assert config["hosts"] == {"n": 1, "m": 2}


def test_a_module_that_cannot_be_reconfigured_is_not_restarted_by_surprise(
    ask, runtime, state
):
    """501 says so; `?restart=allow` restarts it."""
    before, old = state(), runtime.module("log")
    refused = ask("PUT", "modules/log/config", {"level": "DEBUG"})

    assert (refused.status, refused.content["code"]) == (501, "E_RESTART")
    assert state() == before
    allowed = ask("PUT", "modules/log/config?restart=allow", {"level": "DEBUG"})
    assert allowed.status == 200
    assert runtime.module("log") is not old


def test_a_dry_run_only_tells(ask, runtime, state):
    """The steps and the values that would change; nothing is stored."""
    before = state()
    answer = ask("PATCH", f"{CONFIG}?dry_run=true", {"rate": 5})

    assert answer.status == 200
    assert answer.content["verdict"] == "apply"
    [step] = answer.content["steps"]
    assert (step["action"], step["module"]) == ("reconfigure", "api")
    changes = [e for e in answer.content["changes"] if ".config." in e["path"]]
    assert changes == [{"path": "modules.api.config.rate", "old": 1, "new": 5}]
    assert answer.content["base"] == runtime.snapshot.digest
    assert state() == before


def test_a_dry_run_leads_to_just_that_digest(ask, runtime):
    """What was told is what happens."""
    told = ask("PATCH", f"{CONFIG}?dry_run=true", {"rate": 5, "deep": None})
    ask("PATCH", CONFIG, {"rate": 5, "deep": None})

    assert runtime.snapshot.digest == told.content["desired"]


def test_an_unknown_module_is_not_found(ask):
    """With the name that was perhaps meant."""
    answer = ask("PUT", "modules/apy/config", {})

    assert (answer.status, answer.content["code"]) == (404, "E_UNKNOWN")
    assert "`api`" in answer.content["detail"]


def test_without_a_layer_to_write_to_the_answer_says_what_to_add(base):
    """409, with the URI of one."""
    with Runtime([base, MemorySource({})], modules=MODULES) as runtime:
        answer = Client(runtime)("PUT", CONFIG, {})

    assert answer.status == 409
    assert "overrides:file:" in answer.content["detail"]


def test_a_held_change_is_stored_and_waits(base):
    """202, and it is in force after an approval."""

    class Holds:
        @hookimpl
        def on_change(self, change):
            steps = Plan.full(change.diff).steps
            return Plan.hold(steps, "wait for the night")

    overrides = OverridesSource()
    layers = [base, overrides]
    with Runtime(layers, modules=MODULES, strategy=Holds()) as runtime:
        ask = Client(runtime)
        answer = ask("PATCH", CONFIG, {"rate": 5})
        before = config_of(runtime)["rate"]
        runtime.approve()

        assert (answer.status, answer.content["status"]) == (202, "held")
        assert (before, config_of(runtime)["rate"]) == (1, 5)


def test_who_and_why_stand_in_the_history(ask, runtime, overrides):
    """The outcome has the caller's name, and the store the message as well."""
    ask("PUT", f"{CONFIG}?message=rush%20hour", {"rate": 5})
    [version] = Runtime(overrides).history(1)

    assert (version.author, version.message) == ("ada", "rush hour")
    assert runtime.snapshot.loaded.author == "ada"


SECRETS = {
    "mask": {"password": "********"},
    "mask in a URL": {"url": "db://u:********@h"},
    "mask in a list": {"hosts": [["********"]]},
    "clear": {"password": "canary-in-clear"},
    "clear beside a number": {"password": "canary-in-clear", "api_key": 12345},
    "a number": {"api_key": 12345},
    "clear beside a reference": {"password": "canary-in-clear", "host": "${NOWHERE}"},
    "clear in a URL": {"url": "db://u:canary-in-clear@h"},
}


@pytest.mark.parametrize("body", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_no_secret_is_stored_in_clear_nor_a_mask(ask, state, overrides, method, body):
    """Both are refused before anything is stored, and no answer repeats them."""
    before = state()
    answer = ask(method, CONFIG, body)

    assert (answer.status, answer.content["code"]) == (422, "E_SECRET")
    assert "canary" not in str(answer)
    assert state() == before
    assert overrides.version is None  # nor for a moment


def test_a_reference_is_stored_as_it_is(ask, runtime, overrides, monkeypatch):
    """The module gets what it stands for, and no answer shows that."""
    monkeypatch.setenv("DB_PASSWORD", "canary-resolved")
    answer = ask("PATCH", CONFIG, {"password": "${DB_PASSWORD}"})

    assert answer.status == 200
    assert runtime.module("api").config["password"] == "canary-resolved"
    assert stored(overrides) == {"password": "${DB_PASSWORD}"}
    assert "canary-resolved" not in str(ask("GET", CONFIG))
    told = ask("PATCH", f"{CONFIG}?dry_run=1", {"password": None}, if_match="*")
    assert "canary-resolved" not in str(told)


@pytest.mark.parametrize("body", [{"$patch": "delete"}, {"deep": {"$patch": "x"}}])
def test_a_mark_of_layers_is_no_value(ask, body):
    """It would mean something else than it says."""
    assert ask("PUT", CONFIG, body).status == 422
    assert ask("PATCH", CONFIG, body).status == 422


def test_no_answer_has_a_path_of_this_host(tmp_path, base):
    """A fault names the file, and not where it is."""
    overrides = OverridesSource(f"file:{tmp_path}/overrides.yaml")
    with Runtime([base, overrides], modules=MODULES) as runtime:
        ask = Client(runtime)
        refused = ask("PUT", CONFIG, {"rate": -1})
        (tmp_path / "overrides.yaml").unlink()
        (tmp_path / "overrides.yaml").mkdir()
        broken = ask("PUT", CONFIG, {"rate": 2})

    assert (refused.status, broken.status) == (422, 503)
    assert refused.content["faults"][0]["code"] == "E_PREPARE"
    assert str(tmp_path) not in str(refused) + str(broken)
    assert broken.headers["Retry-After"]


def test_the_tag_changes_with_what_is_stored_and_not_in_force(base):
    """Who looked before another process stored something overwrites nothing of it."""
    store = MemorySource()
    with Runtime([base, OverridesSource(store)], modules=MODULES) as runtime:
        ask = Client(runtime)
        tag = ask.tag()
        store.set({"modules": {"api": {"config": {"rate": 9}}}})

        assert ask("PATCH", CONFIG, {"burst": 1}, if_match=tag).status == 412
        assert ask("PATCH", CONFIG, {"burst": 1}).status == 428
        assert ask.tag() != tag


def test_a_service_that_starts_is_not_there_yet():
    """A change before the first generation is told to come back, not that it cannot."""
    started, may_go = threading.Event(), threading.Event()

    class Slow(Limiter):
        @hookimpl
        def start(self, config):
            super().start(config)
            started.set()
            assert may_go.wait(20)

    layers = [MemorySource({"modules": [entry("api", rate=1)]}), OverridesSource()]
    runtime = Runtime(layers, modules={"limiter": Slow})
    thread = threading.Thread(target=runtime.start)
    thread.start()
    try:
        assert started.wait(20)
        answer = Client(runtime)("PATCH", CONFIG, {"rate": 5})
    finally:
        may_go.set()
        thread.join()
        runtime.stop()

    assert (answer.status, answer.content["code"]) == (503, "E_STOPPED")
