"""D6: modules already changed stayed changed when a later one failed, for good."""

from __future__ import annotations

import contextlib

import pytest

from midflight import Runtime, Unchanged, hookimpl
from midflight.testing import FakeModule, FakeSource


class Refuses(FakeModule):
    """Does not take the value 2."""

    @hookimpl
    def reconfigure(self, config):
        if config["v"] == 2:
            raise ValueError("not 2")
        self.config = config


def document(value):
    """Return what the source holds."""
    modules = [
        {"name": name, "type": kind, "config": {"v": value}}
        for name, kind in (("a", "fake"), ("b", "fake"), ("c", "refuses"))
    ]
    return {"modules": modules}


def assert_no_drift(modules, value):
    """Every module runs the value that the document in force says."""
    assert [module.config["v"] for module in modules] == [value] * len(modules)


def test_a_failed_apply_leaves_no_drift_and_reverting_is_healthy():
    """The modules before the one that failed are taken back at once."""
    source = FakeSource(document(1))
    types = {"fake": FakeModule, "refuses": Refuses}
    with Runtime(source, modules=types) as runtime:
        source.set(document(2))
        runtime.reload()
        modules = [runtime.module(name) for name in "abc"]
        assert_no_drift(modules, 1)

        source.set(document(1))
        assert isinstance(runtime.reload(), Unchanged)
        assert runtime.status()["state"] == "healthy"
        assert_no_drift(modules, 1)


def test_the_oracle_sees_a_loop_without_a_way_back():
    """The original's loop, which stops at the first failure, drifts for good."""
    modules = [FakeModule("a"), FakeModule("b"), Refuses("c")]
    for module in modules:
        module.start({"v": 1})

    with contextlib.suppress(ValueError):
        for module in modules:
            module.reconfigure({"v": 2})
    # reverting the file is "no effective difference" there: nothing more is done

    with pytest.raises(AssertionError):
        assert_no_drift(modules, 1)
