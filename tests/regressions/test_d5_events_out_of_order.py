"""D5: concurrent events applied out of order, an old document over a newer one."""

from __future__ import annotations

import threading

import pytest

from midflight import Runtime, hookimpl
from midflight.testing import FakeModule, FakeSource, wait_until

LAST = 200


class Order(FakeModule):
    """Notes the values in the order in which they came into force."""

    @hookimpl
    def reconfigure(self, config):
        self.calls.append(("reconfigure", config))
        self.config = config

    @property
    def values(self):
        return [config["v"] for hook, config in self.calls if hook == "reconfigure"]


def document(value):
    """Return what the source holds."""
    return {"modules": [{"name": "m", "type": "order", "config": {"v": value}}]}


def assert_in_order(values, last):
    """No value came into force after a newer one, and the last one is in force."""
    assert values == sorted(set(values))
    assert values[-1] == last


def test_concurrent_hints_apply_in_order():
    """Hints from many threads never bring an older document over a newer one."""
    source = FakeSource(document(0))
    with Runtime(source, modules={"order": Order}, watch=True) as runtime:
        source.hints = 0
        lock, counter = threading.Lock(), iter(range(1, LAST + 1))

        def writes():
            while True:
                with lock:
                    value = next(counter, None)
                    if value is None:
                        return
                    source.set(document(value))
                source.hint()

        writers = [threading.Thread(target=writes) for _ in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        module = runtime.module("m")
        wait_until(lambda: module.config["v"] == LAST, "the last document")

        assert_in_order(module.values, LAST)
        generations = runtime.snapshot.generation
        assert generations == len(module.values) + 1


def test_the_oracle_sees_events_that_carry_documents():
    """The original's way, one thread for each event and its document, goes wrong."""
    values, second_first = [], threading.Event()

    def apply(value):
        if value == 1:
            second_first.wait(5)
        values.append(value)
        second_first.set()

    events = [threading.Thread(target=apply, args=(value,)) for value in (1, 2)]
    for event in events:
        event.start()
    for event in events:
        event.join()

    with pytest.raises(AssertionError):
        assert_in_order(values, 2)
