"""One value is set above all layers, and taken away again."""

from __future__ import annotations

import pytest

from midflight_plugins.api import Caller

from .conftest import Client

RATE = "overrides?path=modules.api.config.rate"


def test_a_value_is_set_and_taken_away(ask, runtime, overrides):
    """It is in force when that is answered, and leaves no trace."""
    put = ask("PUT", RATE, {"value": 5})
    in_force = runtime.module("api").config["rate"]
    gone = ask("DELETE", RATE)

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
        ("modules.api", True),
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
