"""A heartbeat follows its settings."""

from __future__ import annotations

import json

import pytest

from midflight import Runtime
from midflight.testing import ModuleContract, wait_until
from midflight_sample.heartbeat import Heartbeat


class TestHeartbeat(ModuleContract):
    @pytest.fixture
    def module(self):
        return Heartbeat

    @pytest.fixture
    def config(self):
        return {"every": 600.0}

    @pytest.fixture
    def other_config(self):
        return {"every": 900.0, "text": "well"}

    @pytest.fixture
    def refused_config(self):
        return {"every": 0.0}


@pytest.fixture
def runtime(tmp_path):
    """Return a running heartbeat, by way of the entry points."""
    file = tmp_path / "pulse.json"
    file.write_text('{"type": "heartbeat", "config": {"every": 600.0}}')
    with Runtime(f"folder:{tmp_path}") as runtime:
        yield runtime


def test_a_new_interval_counts_at_once(runtime, tmp_path):
    """Nobody waits for the end of the old interval."""
    pulse = runtime.module("pulse")
    faster = {"type": "heartbeat", "config": {"every": 0.01}}
    (tmp_path / "pulse.json").write_text(json.dumps(faster))

    assert runtime.reload().ok
    assert runtime.module("pulse") is pulse
    wait_until(lambda: pulse.beats > 2)


def test_a_wrong_interval_changes_nothing(runtime, tmp_path):
    """An interval of zero is refused; the old one stays."""
    wrong = {"type": "heartbeat", "config": {"every": 0}}
    (tmp_path / "pulse.json").write_text(json.dumps(wrong))

    assert runtime.reload().name == "rejected"
    assert runtime.probe("pulse").values["every"] == 600.0
