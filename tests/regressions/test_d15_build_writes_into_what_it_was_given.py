"""D15: the build wrote into the caller's maps, so that every module looked modified."""

from __future__ import annotations

import copy

import pytest

from midflight import Diff, Document, Runtime, Unchanged, hookimpl
from midflight.testing import FakeModule, FakeSource


class Adds(FakeModule):
    """Tries to write a default into its configuration, and says what came of it."""

    @hookimpl
    def start(self, config):
        super().start(config)
        try:
            config["timeout"] = 30
            config["deep"]["more"] = 1
        except TypeError as exc:
            self.error = str(exc)


def document():
    """Return what the source holds."""
    config = {"v": 1, "deep": {"a": [1, 2]}}
    return {"modules": [{"name": "m", "type": "adds", "config": config}], "x": {"y": 1}}


def assert_same_after(build):
    """What was built again of the same content does not differ, nor does the input."""
    raw = document()
    first = build(raw)
    second = build(raw)
    assert raw == document()
    assert not Diff.between(Document.from_mapping(first), Document.from_mapping(second))


def test_a_build_leaves_its_input_alone():
    """A document is a copy, frozen all the way down."""
    assert_same_after(lambda raw: Document.from_mapping(raw).as_mapping())


def test_a_module_cannot_write_into_its_configuration():
    """A second look at the same content finds nothing to do."""
    raw = document()
    before = copy.deepcopy(raw)
    source = FakeSource(raw)
    source._content = raw
    with Runtime(source, modules={"adds": Adds}) as runtime:
        assert "immutable" in runtime.module("m").error
        assert raw == before
        assert isinstance(runtime.reload(), Unchanged)
        assert runtime.snapshot.generation == 1


def test_the_oracle_sees_a_build_that_writes():
    """The original's build adds to the map it was given, and is caught."""

    def build(raw):
        built = copy.deepcopy(raw)
        raw["modules"][0]["config"]["_modified"] = True
        return built

    with pytest.raises(AssertionError):
        assert_same_after(build)
