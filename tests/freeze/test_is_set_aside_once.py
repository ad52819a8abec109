from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Freezes the process that runs it: never that of the tests.
SCRIPT = """
import gc, json, sys, weakref
from midflight import Runtime, hookimpl
from midflight.testing import FakeSource

class Quiet:
    def __init__(self, name): pass
    @hookimpl
    def start(self): pass
    @hookimpl
    def reconfigure(self): pass

def app(rate):
    entry = {"type": "quiet", "config": {"a": 1}}
    modules = {f"m{at}": entry for at in range(int(sys.argv[1]))}
    return {"modules": modules | {"m0": {"type": "quiet", "config": {"a": rate}}}}

source = FakeSource(app(0))
if sys.argv[2] == "disabled":
    gc.disable()
with Runtime(source, modules={"quiet": Quiet}, plugins=sys.argv[3:]) as runtime:
    start, old = gc.get_freeze_count(), weakref.ref(runtime.snapshot.document)
    gc.disable()
    for rate in range(1, 20):
        source.set(app(rate))
        assert runtime.reload().ok
    print(json.dumps([start, gc.get_freeze_count(), old() is None]))
"""


def frozen(count, *how):
    """Return what is frozen after the start and after reloads, and what is freed."""
    line = [sys.executable, "-Ic", SCRIPT, str(count), *(how or ("enabled",))]
    done = subprocess.run(line, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_a_large_configuration_is_set_aside_after_its_start():
    """With its modules, and with all else that is alive then."""
    start, _, _ = frozen(1_000)

    assert start > 10_000


def test_a_reload_sets_nothing_aside():
    """What a reload makes is collected like anything else."""
    start, end, _ = frozen(1_000)

    assert end <= start


def test_what_was_set_aside_is_freed_when_it_is_replaced():
    """There is no cycle in it that would need the collector."""
    _, _, is_freed = frozen(1_000)

    assert is_freed


@pytest.mark.parametrize(
    "how",
    [(999,), (1_000, "enabled", "no:freeze"), (1_000, "disabled")],
    ids=["few modules", "the plugin is left out", "the application collects itself"],
)
def test_otherwise_the_collector_is_left_alone(how):
    """It belongs to the application."""
    assert frozen(*how)[:2] == [0, 0]
