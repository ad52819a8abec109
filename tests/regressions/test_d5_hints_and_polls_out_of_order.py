"""D5: concurrent events applied out of order, here those of a database."""

from __future__ import annotations

import threading

import pytest

from midflight import Document, Runtime
from midflight.errors import ConflictError
from midflight.testing import FakeModule, wait_until
from midflight_plugins.database import DatabaseSource

PUTS, WRITERS = 60, 4


def document(value):
    """Return what is put."""
    config = {"v": value}
    return Document.from_mapping(
        {"modules": [{"name": "m", "type": "m", "config": config}]}
    )


def put_next(runtime):
    """Put the next value on whatever is the head; return it."""
    while True:
        head, loaded = runtime.read()
        value = head.modules["m"].config["v"] + 1
        try:
            runtime.put(document(value), expected_version=loaded.version)
        except ConflictError:
            continue
        return value


def assert_in_order(values):
    """No value came into force after a newer one."""
    assert values == sorted(set(values))


def test_changes_of_many_writers_come_into_force_in_order(database_url, open_store):
    """Pushes, polls and sweeps at once bring no older document over a newer one."""
    open_store(database_url)
    source = DatabaseSource.from_uri(f"{database_url}?poll=0.02")
    writer = Runtime(DatabaseSource.from_uri(database_url))
    writer.put(document(0), expected_version=None)

    def write():
        while put_next(writer) < PUTS:
            pass

    with Runtime(source, modules={"m": FakeModule}, watch=True, sweep=0.05) as runtime:
        threads = [threading.Thread(target=write) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        module = runtime.module("m")
        wait_until(lambda: module.config["v"] >= PUTS, "the last value")

        values = [config["v"] for hook, config in module.calls if hook != "prepare"]
        assert_in_order(values)


def test_the_oracle_sees_an_older_value_over_a_newer_one():
    """A value that comes back would not go unseen."""
    with pytest.raises(AssertionError):
        assert_in_order([0, 2, 1])
