"""D1: a poller that pairs a fresh hash with an old document loses changes for good."""

from __future__ import annotations

import threading

import pytest

from midflight import Runtime, hookimpl
from midflight.testing import FakeModule, wait_until
from midflight_plugins.database import DatabaseSource

CHANGES, TRIALS = 40, 10
POLL, SWEEP = 0.1, 1.0  # s
LIMIT = 15.0  # s, for poll + sweep and a busy machine


class Ordered(FakeModule):
    """Notes the values in the order in which they came into force."""

    @property
    def values(self):
        return [config["v"] for hook, config in self.calls if hook != "prepare"]


def text(value):
    """Return the document with that value."""
    return f"modules: [{{name: m, type: ordered, config: {{v: {value}}}}}]\n"


class Deaf(DatabaseSource):
    """A source none of whose hints arrives."""

    @hookimpl
    def watch(self, notify):
        return super().watch(lambda: None)


@pytest.fixture(params=[DatabaseSource, Deaf], ids=["hints", "no hints"])
def follow(request):
    """Runs a module on a key of a database: `follow(url, key)` gives a runtime."""
    running = []

    def start(url, key):
        source = request.param.from_uri(f"{url}?poll={POLL}#{key}")
        modules = {"ordered": Ordered}
        runtime = Runtime(source, modules=modules, watch=True, sweep=SWEEP)
        running.append(runtime)
        runtime.start()
        return runtime

    yield start
    for runtime in running:
        runtime.stop()


def assert_followed(values):
    """The last change is in force, and none came after a newer one."""
    assert values[-1] == CHANGES
    assert values == sorted(set(values))


def test_the_last_of_40_changes_is_applied_in_all_trials(
    database_url, original, follow
):
    """40 changes in consecutive polls, 10 times: the last one is applied each time."""
    system, pace = original(database_url), threading.Event()
    system.create()
    keys = [f"trial-{number}" for number in range(TRIALS)]
    for key in keys:
        system.put(key, text(0))
    runtimes = [follow(database_url, key) for key in keys]
    for value in range(1, CHANGES + 1):
        for key in keys:
            system.put(key, text(value))
            pace.wait(POLL / TRIALS)  # each trial meets the polls in another phase
    modules = [runtime.module("m") for runtime in runtimes]
    wait_until(
        lambda: all(module.config["v"] == CHANGES for module in modules),
        "the last change",
        LIMIT,
    )

    for module in modules:
        assert_followed(module.values)


class PairsWithCache:
    """The broken variant: a fresh hash, and a document kept for one and a half poll."""

    def __init__(self, system, key):
        self.system, self.key = system, key
        self.seen, self.cached, self.loaded_at, self.values = "", b"", -2.0, []

    def tick(self, now):
        head = self.system.head(self.key)
        if head.hash != self.seen:
            self.seen = head.hash
            if now - self.loaded_at >= 1.5:
                self.cached, self.loaded_at = head.data, now
            self.values.append(int(self.cached.split(b"v: ")[1].split(b"}")[0]))


def test_the_oracle_sees_a_stale_document_under_a_fresh_hash(sqlite_url, original):
    """The original's poller, with a change before each of its ticks, goes wrong."""
    system = original(sqlite_url)
    system.create()
    broken = PairsWithCache(system, "default")
    for value in range(1, CHANGES + 1):
        system.put("default", text(value))
        broken.tick(float(value))

    with pytest.raises(AssertionError):
        assert_followed(broken.values)
