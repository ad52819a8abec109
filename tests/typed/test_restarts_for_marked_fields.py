from __future__ import annotations

from typing import Any

import pytest

from midflight import Restart, Runtime, hookimpl
from midflight.testing import FakeSource

pytestmark = pytest.mark.no_canaries


class Other:
    made = 0

    def __init__(self, name):
        Other.made += 1

    @hookimpl
    def start(self):
        pass

    @hookimpl
    def reconfigure(self):
        pass


def document(**config: Any) -> dict[str, Any]:
    """Return a configuration of `api`, and of `other` that depends on it."""
    return {
        "modules": [
            {"name": "api", "type": "limiter", "config": {"rate": 1, **config}},
            {"name": "other", "type": "other", "dependsOn": ["api"]},
        ]
    }


@pytest.mark.parametrize("strategy", ["surgical", "partial"])
def test_a_marked_field_restarts_and_another_does_not(kind, module_of, strategy):
    """Whatever the kind and the strategy, with what depends on the module."""
    limiter, source = module_of(kind), FakeSource(document(port=80))
    types = {"limiter": limiter, "other": Other}
    with Runtime(source, modules=types, strategy=strategy) as runtime:
        source.set(document(port=80, hosts=["a"]))
        runtime.reload()
        made = list(limiter.made)
        source.set(document(port=81, hosts=["a"]))
        before = Other.made
        runtime.reload()

        assert made == ["api"]
        assert limiter.made == ["api", "api"]
        assert Other.made == before + 1
        assert len(limiter.given) == 3


def test_the_plan_says_which_field_needs_the_restart(kind, module_of):
    """The reason names the key, also where it was left out before."""
    types = {"limiter": module_of(kind), "other": Other}
    source = FakeSource(document())
    with Runtime(source, modules=types) as runtime:
        source.set(document(port=81))
        plan = runtime.plan(runtime.read()[0])
    first, second = plan.steps

    assert isinstance(first, Restart)
    assert first.reason == "`port` changed, which needs a restart"
    assert first.paths == ("modules.api.config.port",)
    assert (second.module, second.reason) == ("other", "depends on a restarted module")


def test_a_schema_that_cannot_be_made_changes_no_plan(module_of):
    """A plugin that fails to describe a type leaves the strategy's plan as it is."""

    class Broken:
        @hookimpl(tryfirst=True)
        def json_schema(self):
            raise RuntimeError("no schema today")

    limiter, source = module_of(dict), FakeSource(document(port=80))
    limiter.Config = None
    types = {"limiter": limiter, "other": Other}
    with Runtime(source, modules=types, plugins=[Broken()]) as runtime:
        source.set(document(port=81))
        runtime.reload()

        assert limiter.made == ["api"]
        assert len(limiter.given) == 2


def test_a_restart_that_fails_is_not_tried_twice(kinds, module_of):
    """Partial falls back to a full reload only where something changes in place."""
    types = {"limiter": module_of(kinds["attrs"]), "other": Other}
    source = FakeSource(document())
    with Runtime(source, modules=types, strategy="partial") as runtime:
        source.set(document(port=81))
        restarts = runtime.plan(runtime.read()[0])
        source.set(document(hosts=["a"]))
        changes = runtime.plan(runtime.read()[0])

    assert restarts.fallback is None
    assert changes.fallback is not None
