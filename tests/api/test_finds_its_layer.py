"""The layer of overrides is known by what it can do, whatever stands above it."""

from __future__ import annotations

from midflight import Runtime, hookimpl
from midflight_plugins.api._loaded import overrides_layer
from midflight_plugins.overrides import OverridesSource


class Knob:
    """A source with methods of its own that sound alike."""

    name = "knob"

    @hookimpl
    def load(self):
        return {"v": 1}

    def set(self):
        pass

    def unset(self):
        pass


def test_a_source_that_sounds_alike_is_not_taken_for_it():
    """Somebody's source may have methods `set` and `unset`."""
    overrides = OverridesSource()
    with Runtime([overrides, Knob()]) as runtime:
        found = overrides_layer(runtime.snapshot)

        assert found is not None
        assert found.participant.target is overrides
