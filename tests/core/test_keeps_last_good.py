from __future__ import annotations

import functools
import logging
import threading

import pytest

from midflight import hookimpl
from midflight.errors import SourceUnavailableError
from midflight.testing import FakeSource, wait_until

ONE = ("m1",)


@pytest.mark.parametrize(
    "error",
    [
        SourceUnavailableError("down"),
        OSError("gone"),
        ValueError("what"),
        SystemExit(2),
        KeyboardInterrupt(),
        RecursionError(),
    ],
)
def test_a_source_that_fails_keeps_the_last_good(watched, error):
    """Whatever a source raises, what runs goes on, and the status says since when."""
    before = watched.runtime.snapshot
    since = watched.system.wall()
    watched.source.fail(error)

    outcome = watched.runtime.reload()

    assert outcome.reason == "source_unavailable"
    assert outcome.transient
    assert watched.runtime.snapshot is before
    status = watched.runtime.status()
    assert status["state"] == "degraded"
    assert status["sources"][0]["since"] == since
    assert status["sources"][0]["error"]


def test_since_is_when_the_source_went_away(watched):
    """Later failures do not make an outage younger."""
    since = watched.system.wall()
    watched.source.hints = 0
    watched.source.fail(OSError("gone"))
    watched.runtime.reload()
    watched.system.advance(40)
    watched.runtime.reload()

    assert watched.runtime.status()["sources"][0]["since"] == since


def test_a_source_that_comes_back_is_found_by_itself(watched):
    """After an outage the status is healthy again, with no help from hints."""
    watched.source.hints = 0
    watched.source.fail(OSError("gone"))
    watched.runtime.reload()
    watched.source.restore()

    watched.system.advance(31)
    wait_until(
        lambda: watched.runtime.status()["state"] == "healthy", "the end of the outage"
    )

    assert watched.runtime.status()["sources"][0]["error"] is None


@pytest.mark.parametrize("content", [None, 7, "text", ["list"], object()])
def test_a_source_that_returns_nonsense_keeps_the_last_good(watched, content):
    """A wrong type is refused with a fault, and nothing is touched."""
    before = watched.runtime.snapshot

    outcome = watched.change(content)

    assert not outcome.ok
    assert outcome.faults
    assert watched.runtime.snapshot is before
    assert watched.runtime.status()["state"] != "healthy"


def test_a_source_cannot_change_what_it_gave(bench):
    """The core keeps a copy, not the source's own mapping."""
    raw = bench.document(1, names=ONE)

    class Keeps(FakeSource):
        @hookimpl
        def load(self):
            return raw

    bench.make(raw, source=Keeps(), modules=bench.types()).start()
    digest = bench.runtime.snapshot.digest
    raw["modules"][0]["config"]["v"] = 99
    raw["extra"] = True

    assert bench.value() == 1
    assert bench.runtime.snapshot.digest == digest
    assert "extra" not in bench.runtime.snapshot.document.sections


def test_a_fault_is_said_once(watched, caplog):
    """The log tells what is wrong once, not once per tick, and that it is over."""
    caplog.set_level(logging.INFO, "midflight")
    watched.source.hints = 0
    watched.source.fail(OSError("gone"))
    for _ in range(5):
        watched.runtime.reload()
    told = [line for line in caplog.messages if "gone" in line]
    watched.source.restore()
    for _ in range(5):
        watched.runtime.reload()
    over = [line for line in caplog.messages if "healthy again" in line]

    assert len(told) == 1
    assert len(over) == 1


def test_every_other_fault_is_said(watched, caplog):
    """A second fault is not hidden behind the first."""
    caplog.set_level(logging.INFO, "midflight")
    watched.change({"modules": "first"})
    watched.change({"modules": [{"name": "x"}]})

    text = "\n".join(caplog.messages)
    assert "E_TYPE" in text
    assert "E_REQUIRED" in text


def test_a_watch_that_fails_is_said_once(bench, caplog):
    """A watch that cannot be opened is tried at each sweep, and told of once."""

    class Blind(FakeSource):
        opened = 0

        @hookimpl
        def watch(self, notify):
            self.opened += 1
            raise OSError("inotify limit")

    blind = Blind(bench.document(1, names=ONE))
    bench.make({}, source=blind, watch=True).start()
    for _ in range(4):
        hashes = blind.hashes
        bench.system.advance(5.1)
        wait_until(functools.partial(bench.looked, blind, hashes), "the sweep")
        bench.settle()

    assert blind.opened > 1
    assert len([line for line in caplog.messages if "inotify limit" in line]) == 1


@pytest.mark.parametrize("junk", ["junk", 7, object()])
def test_a_watch_of_the_wrong_type_leaves_the_sweep(bench, junk):
    """A watch that is no context manager is as good as none."""

    class Wrong(FakeSource):
        @hookimpl
        def watch(self, notify):
            return junk

    wrong = Wrong(bench.document(1, names=ONE))
    runtime = bench.make({}, source=wrong, watch=True)
    wrong.set(bench.document(1, names=ONE))
    begins = threading.Thread(target=runtime.start, daemon=True)
    begins.start()
    begins.join(3)

    assert not begins.is_alive(), "the start never ends"
    wrong.set(bench.document(2, names=ONE))
    bench.system.advance(5.1)
    wait_until(lambda: bench.value() == 2, "the sweep")
