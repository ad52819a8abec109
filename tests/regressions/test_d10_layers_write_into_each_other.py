"""D10: the overlay wrote into the cache of its base."""

from __future__ import annotations

import copy

import pytest

from midflight import Runtime, hookimpl
from midflight_plugins.composite import CompositeSource

BASE = {
    "modules": [{"name": "m", "type": "fake", "config": {"v": {"w": 1}}}],
    "workflows": {"a": {"steps": [1]}},
}
OVER = {
    "modules": [{"name": "m", "type": "fake", "config": {"v": {"x": 2}}}],
    "workflows": {"a": {"steps": [2]}, "b": {}},
}


class Keeps:
    """A source with a cache: each read gives the same mapping."""

    def __init__(self, raw):
        self.cached = copy.deepcopy(raw)

    @hookimpl
    def load(self):
        return self.cached


class Overlay:
    """The broken variant: what the original did, in its own words."""

    def __init__(self, base, over):
        self.layers = base, over

    @hookimpl
    def load(self):
        base, over = (each.load() for each in self.layers)
        named = {module["name"]: module for module in base["modules"]}
        for module in over["modules"]:
            named[module["name"]]["config"] = module["config"]
        base["workflows"].update(over["workflows"])
        return base


def assert_base_stays(make):
    """After a merge, and without the upper layer, the base is what it was."""
    base, over = Keeps(BASE), Keeps(OVER)
    Runtime(make(base, over)).read()
    alone = Runtime(base).read()[0]
    assert base.cached == BASE
    assert over.cached == OVER
    assert alone == Runtime(Keeps(BASE)).read()[0]


@pytest.mark.parametrize("merge", ["deep", "replace"])
def test_no_layer_is_written_into(merge):
    """Whatever a source keeps of what it returned, a merge leaves it alone."""
    assert_base_stays(lambda *layers: CompositeSource(layers, merge=merge))


def test_the_oracle_sees_an_overlay_that_writes():
    """An overlay as the original's would not go unseen."""
    with pytest.raises(AssertionError):
        assert_base_stays(Overlay)
