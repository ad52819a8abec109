from __future__ import annotations

import gc
import json
import tracemalloc
import weakref
from contextlib import contextmanager

import pytest

from midflight import Runtime, hookimpl

pytestmark = pytest.mark.no_canaries  # they are put into copies of all modules

MANY = 1_000  # reloads
MODULES = {"json": 2_000, "yaml": 400, "toml": 1_000}
YAML = """\
- name: module-{0}
  type: quiet
  config:
    rate: {1}
    burst: {0}
    host: node-{0}.example.org
    port: 8080
    ratio: 0.75
    enabled: true
    mode: fast
"""
TOML = """\
[[modules]]
name = "module-{0}"
type = "quiet"
[modules.config]
rate = {1}
burst = {0}
host = "node-{0}.example.org"
port = 8080
ratio = 0.75
enabled = true
mode = "fast"
"""


class Quiet:
    """A module that keeps nothing."""

    def __init__(self, name):
        """Take the name that every module is given."""

    @hookimpl
    def start(self):
        """Start."""

    @hookimpl
    def reconfigure(self):
        """Take a change."""

    @hookimpl
    def stop(self):
        """Stop."""


def plain_of(count, rate=10):
    """Return modules of seven values, as a parser gives them."""
    config = {"port": 8080, "ratio": 0.75, "enabled": True, "mode": "fast"}
    own = [
        {"rate": rate, "burst": at, "host": f"node-{at}.example.org"} | config
        for at in range(count)
    ]
    return {
        "modules": [
            {"name": f"module-{at}", "type": "quiet", "config": each}
            for at, each in enumerate(own)
        ]
    }


def text_of(form, count, rate=10):
    """Return the text of a file of modules of seven values."""
    if form == "json":
        return json.dumps(plain_of(count, rate), indent=1)
    entry = YAML if form == "yaml" else TOML
    head = "modules:\n" if form == "yaml" else ""
    return head + "".join(entry.format(at, rate) for at in range(count))


@contextmanager
def traced():
    """Trace memory; yield what tells how much there is, after a collection."""

    def now():
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        yield now
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("form", MODULES)
def test_what_runs_keeps_little_more_than_the_plain_values(write, form):
    """Text, digests, places, modules and all else: 2.5 times the dictionaries."""
    count = MODULES[form]
    small = write({f"small.{form}": text_of(form, 3)})
    kinds = {"quiet": Quiet}
    with Runtime(f"file:{small}", modules=kinds):
        pass  # what is imported counts not

    def kept(rate):
        path = write({f"app-{rate}.{form}": text_of(form, count, rate)})
        text = json.dumps(plain_of(count, rate))
        with traced() as now:
            before = now()
            plain = json.loads(text)
            plain_size, before = now() - before, now()
            with Runtime(f"file:{path}", modules=kinds) as runtime:
                size = now() - before
                assert len(plain["modules"]) == len(runtime.snapshot.running) == count
        return size / plain_size

    # What another thread takes meanwhile is counted too: not thrice. Each time it is
    # another text: of what is kept for good, a second time would count nothing.
    assert min(map(kept, range(3))) <= 2.5


@pytest.mark.timeout(180)
def test_a_thousand_reloads_leave_nothing_behind(write, caplog):
    """Neither garbage nor anything that is held without need."""
    caplog.set_level("WARNING", "midflight")  # what is logged is kept by the test run
    path = write({"app.yaml": text_of("yaml", 3)})
    with Runtime(f"file:{path}", modules={"quiet": Quiet}) as runtime:

        def reload(times):
            for rate in range(times):
                path.write_text(text_of("yaml", 2) + YAML.format("x", rate))
                assert runtime.reload().ok

        reload(60)  # fills what keeps the last few
        with traced() as now:
            reload(1)
            before = now()
            reload(MANY)

            assert runtime.snapshot.generation >= MANY
            assert now() - before <= 1_000_000


def test_what_was_replaced_is_freed_without_the_collector(write):
    """So it is also freed where the collector no longer looks at it."""
    path = write({"app.yaml": text_of("yaml", 20)})
    runtime = Runtime(f"file:{path}", modules={"quiet": Quiet})
    old = weakref.ref(runtime.read()[0])
    gc.collect()
    gc.disable()
    try:
        path.write_text(text_of("yaml", 20, 11))
        new, loaded = runtime.read()

        assert new.modules["module-3"].config["rate"] == 11
        assert loaded.document is new
        assert old() is None
    finally:
        gc.enable()
