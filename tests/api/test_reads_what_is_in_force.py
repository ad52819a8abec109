"""The routes that look, against a runtime of layers with secrets."""

from __future__ import annotations

import json

import msgspec
import pytest

from midflight import Loaded, Runtime, hookimpl
from midflight.errors import SourceUnavailableError
from midflight.hookspecs import Version
from midflight_plugins.api import ROUTES, Api, Caller, Request
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

LOOKS = {
    route.path.removeprefix("/api/v1/"): route
    for route in ROUTES
    if (route.method, route.scope) == ("GET", "read")
}
HIDDEN = ("hush", "98765432")


def test_the_status_is_that_of_the_runtime(runtime, ask):
    """It says what is in force, wanted and refused."""
    answer = ask("GET", "status")

    assert answer.status == 200
    assert answer.content == json.loads(json.dumps(runtime.status(), default=str))


def test_the_status_tells_why_something_was_refused(runtime, overrides, base, ask):
    """Each fault as data, with its place in parts, and without the secret in it."""
    base.set({"modules": [{"name": "api", "type": "limiter", "config": REFUSED}]})
    assert not runtime.reload().ok
    rejected = ask("GET", "status").content["rejected"]
    (fault,) = rejected["faults"]

    assert rejected["reason"] == "prepare_refused"
    assert (fault["code"], fault["path"]) == ("E_PREPARE", "modules.api")
    assert "a rate is not negative" in fault["message"]
    parts = {"file", "line", "column", "layer", "found", "expected", "hint"}
    assert fault.keys() == {"code", "message", "path", *parts}


def test_the_configuration_is_shown_whole(runtime, ask):
    """Modules and sections, as a file would hold them; its tag is the digest."""
    answer = ask("GET", "config")

    assert [each["name"] for each in answer.content["modules"]] == ["api", "log"]
    assert answer.content["modules"][0]["config"]["hosts"] == ["a", "b"]
    assert answer.content["limits"] == {"a.b": 5}
    assert answer.headers["etag"] == f'"{runtime.snapshot.digest}"'


@pytest.mark.parametrize(
    "path", ["config", "explain?all=1", "modules/api", "modules/api/config"]
)
def test_what_one_has_is_not_sent_again(runtime, overrides, ask, path):
    """`If-None-Match` with the tag of before is answered 304 until it changes."""
    path, _, query = path.partition("?")
    more = dict([query.split("=")]) if query else {}
    first = ask("GET", path, **more)
    tag = first.headers["etag"]

    for known in (tag, f'"other", W/{tag}', "*"):
        again = ask("GET", path, headers={"If-None-Match": known}, **more)
        assert (again.status, again.headers["etag"]) == (304, tag)
        assert again.text in {"", "null"}
    overrides.set("modules.api.config.rate", 2)
    changed = ask("GET", path, headers={"If-None-Match": tag}, **more)
    assert changed.status == 200
    assert changed.headers["etag"] != tag


def test_modules_are_listed(runtime, overrides, ask):
    """One row each: what and how it is, and how far it can be and was changed."""
    overrides.set("modules.api.config.rate", 2)

    assert ask("GET", "modules").content == {
        "modules": [
            {
                "name": "api",
                "type": "limiter",
                "state": "running",
                "generation": 2,
                "reloadable": True,
                "overridden": True,
            },
            {
                "name": "log",
                "type": "fixed",
                "state": "running",
                "generation": 1,
                "reloadable": False,
                "overridden": False,
            },
        ],
        "total": 2,
        "offset": 0,
    }


@pytest.mark.parametrize(
    ("query", "names", "total"),
    [
        ({"q": "LO"}, ["log"], 1),
        ({"q": "LIMI"}, ["api"], 1),
        ({"q": "?"}, [], 0),
        ({"overridden": "true"}, ["log"], 1),
        ({"overridden": "true", "q": "api"}, [], 0),
        ({"limit": 1}, ["api"], 2),
        ({"limit": 1, "offset": 1}, ["log"], 2),
        ({"offset": 9}, [], 2),
    ],
)
def test_modules_are_found_and_paged(runtime, overrides, ask, query, names, total):
    """`q` is a part of the name or the type; `total` counts all that have it."""
    overrides.set("modules.log.config.level", 1)
    content = ask("GET", "modules", **query).content

    assert [each["name"] for each in content["modules"]] == names
    assert content["total"] == total


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("modules", {"limit": "0"}),
        ("modules", {"limit": "10001"}),
        ("modules", {"offset": "-1"}),
        ("modules", {"limit": "²"}),
        ("modules", {"limit": "9" * 5000}),
        ("history", {"before": "x"}),
        ("history", {"limit": "1e3"}),
        ("versions", {"limit": "many"}),
        ("modules/api", {"probe": "perhaps"}),
    ],
)
def test_a_query_that_means_nothing_is_refused(runtime, ask, path, query):
    """It names what is wrong and what would do."""
    answer = ask("GET", path, **query)

    assert (answer.status, answer.content["code"]) == (400, "E_VALUE")
    assert next(iter(query)) in answer.content["detail"]


def test_a_module_is_shown(runtime, overrides, ask):
    """Its configuration in force, and whether a value of it is set above all layers."""
    before = ask("GET", "modules/api").content
    overrides.set("modules.api.config.rate", 2)
    content = ask("GET", "modules/api").content
    other = ask("GET", "modules/log").content

    assert (before["overridden"], before["config"]["rate"]) == (False, 1)
    assert (content["name"], content["type"]) == ("api", "limiter")
    assert (content["state"], content["generation"]) == ("running", 2)
    assert (content["reloadable"], content["overridden"]) == (True, True)
    assert (content["config"]["rate"], content["health"]) == (2, None)
    assert (other["depends_on"], other["overridden"]) == (["api"], False)


def test_a_module_is_asked_how_it_is(runtime, ask):
    """What it was given in clear it does not tell."""
    answer = ask("GET", "modules/api", probe="true")
    health = answer.content["health"]

    assert health["healthy"] is True
    assert health["values"]["said"] == ["with ********"]
    assert health["values"]["password"] == "********"
    assert answer.headers["cache-control"] == "no-store"


def test_the_configuration_of_a_module_is_shown(runtime, ask):
    """It is what a `PUT` takes, and carries the tag that a `PUT` names."""
    answer = ask("GET", "modules/api/config")

    assert answer.content["rate"] == 1
    assert answer.content["password"] == answer.content["token"] == "********"
    assert answer.headers["etag"] == ask("GET", "modules/api").headers["etag"]


class Module:
    """A module that takes anything."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        pass


class Down(MemorySource):
    """A store that can be cut off."""

    cut = False

    @hookimpl
    def load(self):
        if self.cut:
            raise SourceUnavailableError("no route to /var/lib/store")
        return super().load()

    @hookimpl
    def hash(self):
        return None


def test_what_runs_is_shown_while_the_store_is_down(base):
    """Without the tag, which a change needs; that the store is down is no secret."""
    store = Down()
    layers = [base, {"source": OverridesSource(store), "optional": True}]
    with Runtime(layers, modules={"limiter": Module, "fixed": Module}) as runtime:
        store.cut = True
        answers = [
            answered(runtime, f"modules/{{name}}{end}") for end in ("", "/config")
        ]
        listed = answered(runtime, "overrides")

    for answer in answers:
        assert answer.status == 200
        assert "ETag" not in answer.headers
    assert (listed.status, listed.content["code"]) == (503, "E_SOURCE")
    assert "/var/lib" not in listed.content["detail"]


@pytest.mark.parametrize("path", ["modules/apu", "modules/apu/config"])
def test_a_module_that_is_not_there_is_not_found(runtime, ask, path):
    """The nearest name is told."""
    answer = ask("GET", path)

    assert (answer.status, answer.content["code"]) == (404, "E_UNKNOWN")
    assert "did you mean `api`?" in answer.content["detail"]


def test_a_value_is_explained(runtime, overrides, ask):
    """The layer that set it, and what lies below."""
    overrides.set("modules.api.config.rate", 2, author="ada")
    content = ask("GET", "explain", path="modules.api.config.rate").content

    (row,) = content["values"]
    assert (content["value"], row["value"], row["layer"]) == (2, 2, "set")
    assert row["version"] == overrides.version
    assert [(each["value"], each["layer"]) for each in row["shadows"]] == [
        (1, "memory")
    ]


def test_an_override_is_listed(runtime, overrides, ask):
    """Each value that is set, with its path as commands take it."""
    assert ask("GET", "overrides").content["overrides"] == []
    overrides.set("modules.api.config.rate", 2)
    overrides.set(("limits", "a.b"), 6)
    content = ask("GET", "overrides").content

    assert (content["layer"], content["version"]) == ("set", overrides.version)
    assert {each["path"]: each["value"] for each in content["overrides"]} == {
        "modules.api.config.rate": 2,
        'limits."a.b"': 6,
    }


def test_of_two_layers_of_overrides_the_upper_one_counts(base):
    """It is the one that wins, so it is the one that is listed and written."""
    lower, upper = OverridesSource(), OverridesSource()
    layers = [
        base,
        {"source": lower, "name": "lower"},
        {"source": upper, "name": "upper"},
    ]
    with Runtime(layers, modules={"limiter": Module, "fixed": Module}) as runtime:
        lower.set("modules.api.config.rate", 2)
        upper.set("modules.api.config.rate", 3)
        content = answered(runtime, "overrides").content

    assert content["layer"] == "upper"
    assert [each["value"] for each in content["overrides"]] == [3]


def test_an_override_that_is_a_secret_is_masked(runtime, overrides, ask):
    """Also a reference, which may name a secret's default."""
    overrides.set("modules.api.config.password", "${NO_SUCH:-hush-again}")
    content = ask("GET", "overrides").content

    assert [each["value"] for each in content["overrides"]] == ["********"]


def test_stored_versions_are_listed(runtime, overrides, ask):
    """Of the topmost layer that keeps them, or of the one that is named."""
    overrides.set("modules.api.config.rate", 2, author="ada", message="busy")
    content = ask("GET", "versions").content
    below = ask("GET", "versions", layer="memory").content

    assert (content["layer"], content["layers"]) == ("set", ["set", "memory"])
    (version,) = content["versions"]
    assert (version["author"], version["message"]) == ("ada", "busy")
    assert (version["version"], version["current"]) == (overrides.version, True)
    assert len(below["versions"]) == 1
    missing = ask("GET", "versions", layer="sett")
    assert missing.status == 404
    assert "did you mean `set`?" in missing.content["detail"]


class Plain:
    """A source that keeps no versions."""

    @hookimpl
    def load(self):
        return {"modules": []}


class Counted(Plain):
    """A source that keeps some."""

    @hookimpl
    def load(self):
        return Loaded({"modules": []}, version=2)

    @hookimpl
    def history(self, limit):
        return [Version(2, at=2.0), Version(1, at=1.0)][:limit]


@pytest.mark.parametrize(("source", "status"), [(Plain(), 409), (Counted(), 200)])
def test_versions_of_a_single_source(source, status):
    """Without layers, those of the source itself, if it keeps any."""
    with Runtime(source) as runtime:
        answer = answered(runtime, "versions", limit="1")

    assert answer.status == status
    if status == 200:
        (row,) = answer.content["versions"]
        assert (row["version"], row["current"]) == (2, True)


def answered(runtime, path, scopes=("read",), **query):
    """Return what a route answers without a server, about the module `api`."""
    route = LOOKS[path]
    request = Request(Caller("ada", scopes), {"name": "api"}, query)
    return Api.of(runtime).answer(route, request)


def test_who_may_nothing_reads_nothing(runtime):
    """Every route has a scope."""
    answers = [answered(runtime, path, ()) for path in LOOKS]

    assert {answer.status for answer in answers} == {403}
    assert {answer.content["code"] for answer in answers} == {"E_SCOPE"}


ASKED = {
    "modules/{name}": ("modules/api", {"probe": "true"}),
    "modules/{name}/config": ("modules/api/config", {}),
    "explain": ("explain", {"all": "true"}),
}


def asked(ask, path):
    """Return how to ask a route for something that is there."""
    if path != "diff":
        return ASKED.get(path, (path, {}))
    newest, *_, oldest = ask("GET", "generations").content["generations"]
    return "diff", {"base": oldest["digest"], "digest": newest["digest"]}


REFUSED = {"rate": -1, "password": "hush-3", "token": "98765432"}


@pytest.mark.parametrize("path", LOOKS)
def test_no_answer_shows_a_secret(runtime, base, overrides, ask, path):
    """Neither what is in force, nor what is stored, refused or told by a module."""
    overrides.set("modules.api.config.rate", 2)
    overrides.set("modules.api.config.password", "hush-2")
    base.set({"modules": [{"name": "api", "type": "limiter", "config": REFUSED}]})
    overrides.unset("modules.api.config.password")
    runtime.reload()
    target, query = asked(ask, path)
    answer = ask("GET", target, **query)

    assert answer.status == 200
    assert not any(word in answer.text for word in HIDDEN)


@pytest.mark.parametrize("path", LOOKS)
def test_each_answer_is_what_the_description_says(runtime, base, overrides, ask, path):
    """No member is missing, and none is there that is not described."""
    overrides.set("modules.api.config.rate", 2)
    base.set({"modules": [{"name": "api", "type": "limiter", "config": REFUSED}]})
    runtime.reload()
    target, query = asked(ask, path)
    content = ask("GET", target, **query).content
    model = msgspec.convert(content, LOOKS[path].gives)

    assert without_nothing(msgspec.to_builtins(model)) == without_nothing(content)


def without_nothing(value):
    """Return a value without the members that are null."""
    if isinstance(value, dict):
        items = value.items()
        return {key: without_nothing(each) for key, each in items if each is not None}
    return list(map(without_nothing, value)) if isinstance(value, list) else value
