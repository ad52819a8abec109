"""D14: any authenticated user could reconfigure anything."""

from __future__ import annotations

from typing import Any

import pytest

from midflight import Runtime, hookimpl
from midflight_plugins.api import ROUTES, Api, Caller, Request
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

BASE = {
    "modules": [
        {"name": name, "type": "any", "config": {"rate": 1}} for name in ("api", "web")
    ]
}
WHO = {
    "nobody": (),
    "reader": ("read",),
    "writer of api": ("write:api",),
    "writer of all": ("write:*",),
    "roller": ("rollback",),
    "owner": ("admin",),
}
ALLOWED = {
    "read": {"reader", "writer of api", "writer of all", "roller", "owner"},
    "write": {"writer of all", "owner"},
    "rollback": {"roller", "owner"},
    "admin": {"owner"},
}


class Tame:
    """A module that takes everything."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        self.config = config

    @hookimpl
    def reconfigure(self, config):
        self.config = config


def asked(scopes, route, name="web", body=b"{}"):
    """Return how a route answers a caller with some scopes, and what changed."""
    headers = {"content-type": "application/json", "if-match": "*"}
    overrides = OverridesSource()
    layers = [MemorySource(BASE), overrides]
    with Runtime(layers, modules={"any": Tame}) as runtime:
        caller = Caller("mallory", scopes)
        query = {"path": f"modules.{name}.config.rate"}
        request = Request(caller, {"name": name}, query, headers, body)
        answer = Api.of(runtime).answer(route, request)
        return answer, overrides.head().tree


class Anybody:
    """The original's rule: whoever is known may do everything."""

    name = "mallory"

    def may(self, scope, module="*"):
        return True


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_every_route_is_for_who_has_its_scope(route, who):
    """For all others the answer is the same 403, and nothing is changed."""
    if route.checks:  # by the module, in the tests of those routes
        return
    answer, tree = asked(WHO[who], route)

    assert (answer.status == 403) is (who not in ALLOWED[route.scope])
    if answer.status == 403:
        assert answer.content["code"] == "E_SCOPE"
        assert tree == {}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_who_may_write_to_one_module_may_write_to_that_one(method):
    """Not to another whose name begins alike."""
    [route] = [
        each
        for each in ROUTES
        if each.method == method and each.path.endswith("{name}/config")
    ]

    assert asked(("write:api",), route, "api")[0].status != 403
    assert asked(("write:api",), route, "web")[0].status == 403
    assert asked(("write:ap",), route, "api")[0].status == 403
    assert asked(("write:a*",), route, "api")[0].status != 403


def test_the_original_rule_would_be_seen():
    """Without the check a reader changes a module."""
    [route] = [
        e for e in ROUTES if e.method == "PUT" and e.path.endswith("{name}/config")
    ]
    overrides = OverridesSource()
    layers = [MemorySource(BASE), overrides]
    with Runtime(layers, modules={"any": Tame}) as runtime:
        headers = {"content-type": "application/json"}
        caller: Any = Anybody()
        request = Request(caller, {"name": "web"}, {}, headers, b'{"rate": 5}')

        assert Api.of(runtime).answer(route, request).status == 200
        assert overrides.head().tree
