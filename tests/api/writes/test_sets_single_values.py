"""One value is set above all layers, and taken away again."""

from __future__ import annotations

import pytest

from midflight import Runtime
from midflight_plugins.api import Caller

from .conftest import BASE, MODULES, Client, Limiter, entry

RATE = "overrides?path=modules.api.config.rate"


def test_a_value_is_set_and_taken_away(ask, runtime, overrides):
    """It is in force when that is answered, and leaves no trace."""
    put = ask("PUT", RATE, {"value": 5})
    in_force = runtime.module("api").config["rate"]
    gone = ask("DELETE", RATE, if_match="*")

    assert (put.status, put.content["path"]) == (200, "modules.api.config.rate")
    assert (in_force, runtime.module("api").config["rate"]) == (5, 1)
    assert gone.status == 200
    assert overrides.head().tree == {}
    assert ask("DELETE", RATE).status == 404


def test_a_value_of_another_section_is_set(ask, runtime):
    """A path need not lead to a module; a key with a dot is quoted."""
    assert ask("PUT", 'overrides?path=limits."a.b"', {"value": [1]}).status == 200
    assert runtime.snapshot.document.sections["limits"] == {"total": 5, "a.b": (1,)}


def test_a_mark_of_layers_may_be_set(ask, runtime):
    """As with `midflight override set`."""
    path = "overrides?path=modules.api.config.deep"

    assert ask("PUT", path, {"value": {"$patch": "delete"}}).status == 200
    assert "deep" not in runtime.module("api").config


def test_what_is_refused_is_not_kept(ask, state):
    """The store, the digest and the probe are as before."""
    before = state()

    assert ask("PUT", RATE, {"value": -1}).status == 422
    assert ask("PUT", RATE, {"value": "********"}).status == 422
    assert state() == before


def test_the_tag_is_that_of_the_whole_layer(ask):
    """Whoever names it overwrites no other change of the layer."""
    tag = ask("PUT", RATE, {"value": 5}).headers["ETag"]
    other = ask("PUT", "overrides?path=limits.total", {"value": 6}, if_match=tag)

    assert other.status == 200
    assert ask("PUT", RATE, {"value": 7}, if_match=tag).status == 412
    assert ask("DELETE", RATE, if_match=tag).status == 412
    assert ask("DELETE", RATE, if_match=other.headers["ETag"]).status == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("overrides", {"value": 1}, 400),
        ("overrides?path=a..b", {"value": 1}, 422),
        ("overrides?path=modules.api.config.hosts[0]", {"value": 1}, 422),
        (RATE, {}, 422),
        (RATE, {"valu": 1}, 422),
    ],
)
def test_a_request_that_says_too_little_is_refused(ask, path, body, status):
    """And says what is missing."""
    assert ask("PUT", path, body).status == status


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("modules.api.config.rate", True),
        ("modules.api.config", True),
        ("modules.api", False),
        ("modules.api.type", False),
        ("modules.api.dependsOn", False),
        ("modules.web.config.rate", False),
        ("modules", False),
        ("limits.total", False),
    ],
)
def test_a_scope_for_one_module_leads_to_no_other(runtime, path, allowed):
    """Nor to a section, nor to all modules at once."""
    ask = Client(runtime, Caller("token ci", ("write:api",)))
    statuses = [
        ask("DELETE", f"overrides?path={path}").status,
        ask("PUT", f"overrides?path={path}", {"value": {"a": "1"}}).status,
    ]

    assert (403 in statuses) is not allowed
    assert (statuses == [403, 403]) is not allowed


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_who_has_not_looked_does_not_overwrite(ask, state, method):
    """Once a value is set, a change names what it is based on."""
    first = ask("PUT", RATE, {"value": 5}).headers["ETag"]
    ask("PUT", "overrides?path=limits.total", {"value": 6})
    before, body = state(), {"value": 7} if method == "PUT" else None

    assert ask(method, RATE, body).status == 428
    assert ask(method, RATE, body, if_match=first).status == 412
    assert state() == before
    assert ask(method, RATE, body, if_match="*").status == 200


LOG = "overrides?path=modules.log"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{LOG}.config.level", "DEBUG"),
        (LOG, {"config": {"level": "DEBUG"}}),
        ("overrides?path=modules", {"log": {"config": {"level": "DEBUG"}}}),
    ],
)
def test_a_module_is_not_restarted_by_surprise(ask, runtime, state, path, value):
    """501 says so, as for the whole configuration; `?restart=allow` restarts it."""
    before = state()
    refused = ask("PUT", path, {"value": value})

    assert (refused.status, refused.content["code"]) == (501, "E_RESTART")
    assert state() == before
    assert ask("PUT", f"{path}&restart=allow", {"value": value}).status == 200
    assert runtime.module("log").config == {"level": "DEBUG"}


@pytest.fixture
def guarded(base, overrides):
    """Return a runtime in which a module says who may do what."""
    base.set({"modules": [*BASE["modules"], entry("door", "admin", rate=1)]})
    modules = {**MODULES, "admin": Limiter}
    with Runtime([base, overrides], modules=modules) as runtime:
        yield runtime


ADMIN = {"type": "admin", "config": {"rate": 2}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("overrides?path=modules.api.type", "admin"),
        ("overrides?path=modules.new", ADMIN),
        ("overrides?path=modules&restart=allow", {"new": ADMIN}),
        ("overrides?path=modules.door.type", "limiter"),
        ("overrides?path=modules.door.config.rate", 2),
    ],
)
def test_only_an_administrator_says_who_is_one(guarded, overrides, path, value):
    """A module of type `admin` is made, changed and ended by the scope `admin`."""
    ask = Client(guarded, Caller("token ci", ("write:*",)))
    refused = ask("PUT", path, {"value": value})

    assert (refused.status, refused.content["code"]) == (403, "E_SCOPE")
    assert overrides.head().tree == {}
    assert Client(guarded)("PUT", path, {"value": value}).status == 200


def test_who_may_write_to_all_may_add_a_module(guarded):
    """If it is of another type."""
    ask = Client(guarded, Caller("token ci", ("write:*",)))
    value = {"type": "limiter", "config": {"rate": 2}}

    assert ask("PUT", "overrides?path=modules.new", {"value": value}).status == 200
    assert ask("PUT", "modules/door/config", {"rate": 2}).status == 403


@pytest.mark.parametrize("glob", ["?", "[!d]*", "[*]", "*[*]", "a*", "**"])
def test_only_a_star_is_for_everything(runtime, glob):
    """A glob that happens to match that word is one of modules."""
    ask = Client(runtime, Caller("token ci", (f"write:{glob}",)))

    assert ask("PUT", "overrides?path=limits.total", {"value": 9}).status == 403
    assert ask("POST", "reload").status == 403
