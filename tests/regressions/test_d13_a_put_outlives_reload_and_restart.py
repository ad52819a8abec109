"""D13: a PUT changed the module, but not the baseline, the store or the history."""

from __future__ import annotations

import json
from typing import Any

import pytest

from midflight import Runtime, hookimpl
from midflight_plugins.api import ROUTES, Answer, Api, Caller, Request
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource


class Limiter:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        self.reconfigure(config)

    @hookimpl
    def reconfigure(self, config):
        if config["rate"] < 0:
            raise ValueError("a rate is not negative")
        self.rate = config["rate"]


def base(**more):
    """Return a configuration with one module."""
    return {
        "modules": [{"name": "api", "type": "limiter", "config": {"rate": 1}}],
        **more,
    }


def put(runtime, data, **headers):
    """Replace the configuration of the module."""
    [route] = [
        e for e in ROUTES if e.method == "PUT" and e.path.endswith("{name}/config")
    ]
    headers = {"content-type": "application/json", **headers}
    request = Request(Caller("ada", ("admin",)), {"name": "api"}, {}, headers, data)
    return Api.of(runtime).answer(route, request)


def as_the_original(runtime, data):
    """Change the module, and nothing else."""
    runtime.module("api").reconfigure(json.loads(data))
    return Answer(None)


@pytest.mark.parametrize(("how", "rates"), [(put, (5, 5)), (as_the_original, (1, 1))])
def test_a_put_outlives_the_next_reload_and_a_restart(tmp_path, how, rates):
    """It is part of what the reloader wants, and stands in the store."""
    store, below = f"file:{tmp_path}/overrides.yaml", MemorySource(base())
    more: dict[str, Any] = {"modules": {"limiter": Limiter}, "strategy": "full"}
    with Runtime([below, OverridesSource(store)], **more) as runtime:
        assert how(runtime, b'{"rate": 5}').status == 200
        below.set(base(changed=True))
        assert runtime.reload().ok
        reloaded = runtime.module("api").rate
    with Runtime([below, OverridesSource(store)], **more) as runtime:
        restarted = runtime.module("api").rate

    assert (reloaded, restarted) == rates


def test_a_put_has_an_actor_a_version_and_a_generation():
    """It is a change as any other, with its place in the history."""
    overrides = OverridesSource()
    layers = [MemorySource(base()), overrides]
    with Runtime(layers, modules={"limiter": Limiter}) as runtime:
        answer = put(runtime, b'{"rate": 5}')
        [version] = Runtime(overrides).history(1)

        assert answer.content["generation"] == runtime.snapshot.generation == 2
        assert (version.version, version.author) == (answer.content["version"], "ada")


@pytest.mark.parametrize(
    ("data", "status"),
    [(b'{"rate": -1}', 422), (b'{"rate": 5}garbage', 400), (b'{"rate"', 400)],
)
def test_what_is_invalid_is_the_fault_of_who_sent_it(data, status):
    """Not a 500, and bytes after the JSON are not ignored."""
    overrides = OverridesSource()
    layers = [MemorySource(base()), overrides]
    with Runtime(layers, modules={"limiter": Limiter}) as runtime:
        assert put(runtime, data).status == status
        assert overrides.head().tree == {}
        assert runtime.module("api").rate == 1


def test_an_old_look_overwrites_nothing():
    """Without `If-Match`, or with an old one, a change of an override is refused."""
    layers = [MemorySource(base()), OverridesSource()]
    with Runtime(layers, modules={"limiter": Limiter}) as runtime:
        tag = put(runtime, b'{"rate": 5}').headers["ETag"]
        newer = put(runtime, b'{"rate": 6}', **{"if-match": tag})

        assert newer.status == 200
        assert put(runtime, b'{"rate": 7}').status == 428
        assert put(runtime, b'{"rate": 7}', **{"if-match": tag}).status == 412
        assert runtime.module("api").rate == 6
