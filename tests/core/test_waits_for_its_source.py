"""A source that cannot be read yet at start is waited for, if that is asked for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import (
    InvalidConfigurationError,
    MidflightError,
    SourceUnavailableError,
)
from midflight.testing import FakeModule, FakeSource, wait_until

GOOD = {"modules": {"m": {"type": "fake", "config": {"v": 1}}}}


def missing(bench, **options):
    """Make a runtime whose source cannot be read."""
    bench.make(GOOD, modules={"fake": FakeModule}, **options)
    bench.source.fail(OSError("no such table"))
    return bench.runtime


def begin(runtime):
    """Start a runtime on a thread; return a list for what `start` gives."""
    ends = []

    def start():
        try:
            ends.append(runtime.start())
        except MidflightError as exc:
            ends.append(exc)

    threading.Thread(target=start, daemon=True).start()
    return ends


def waited(bench, ends, seconds=2):
    """Let time pass until the start has ended; return how."""

    def ended():
        bench.system.advance(seconds)
        return ends

    wait_until(ended, "the end of the start")
    return ends[0]


def test_a_source_that_cannot_be_read_is_an_error_at_once(bench):
    """Without `wait`, nothing is waited for."""
    with pytest.raises(SourceUnavailableError, match="no such table"):
        missing(bench).start()


@pytest.mark.parametrize("watch", [True, False])
def test_what_comes_while_it_is_waited_for_is_started(bench, watch):
    """The first document that can be read ends the wait."""
    runtime = missing(bench, wait=60, watch=watch)
    ends = begin(runtime)
    wait_until(lambda: bench.source.hashes, "a first look")
    bench.source.set(GOOD)

    assert waited(bench, ends).ok
    assert runtime.snapshot.generation == 1


def test_the_wait_has_an_end(bench):
    """After `wait` seconds the start fails as it would have at once."""
    ends = begin(missing(bench, wait=60))
    wait_until(lambda: bench.source.hashes, "a first look")

    assert isinstance(waited(bench, ends, 10), SourceUnavailableError)


def test_content_that_is_wrong_is_not_waited_for(bench):
    """What can be read and is wrong is told at once."""
    runtime = missing(bench, wait=60, watch=True)
    ends = begin(runtime)
    wait_until(lambda: bench.source.hashes, "a first look")
    bench.source.set({"modules": 5})

    assert isinstance(waited(bench, ends), InvalidConfigurationError)


def test_a_start_on_the_loop_of_the_hooks_says_what_to_do():
    """It could only wait for itself."""

    async def embed():
        loop = asyncio.get_running_loop()
        Runtime(FakeSource(GOOD), modules={"fake": FakeModule}, loop=loop).start()

    with pytest.raises(MidflightError, match=r"asyncio\.to_thread"):
        asyncio.run(embed())


def test_what_a_late_prepare_returns_is_discarded(bench):
    """A result that comes after its deadline is let go of, not leaked."""
    discarded = []

    class Late(FakeModule):
        @hookimpl
        def prepare(self, config):
            if config["v"] == 2:
                bench.hang()
            return config["v"]

        @hookimpl
        def discard(self, prepared):
            discarded.append(prepared)

    raw = lambda v: {"modules": {"m": {"type": "late", "config": {"v": v}}}}  # noqa: E731  # a document
    bench.run(raw(1), modules={"late": Late})
    outcome = bench.change(raw(2))
    before = list(discarded)
    bench.released.set()

    assert outcome.faults[0].code == "E_TIMEOUT"
    assert before == []
    wait_until(lambda: discarded == [2], "the discard")
