from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from midflight import Applied, hookimpl
from midflight._system import System
from midflight.testing import FakeSource, wait_until

ONE = ("m1",)


def test_a_lone_hint_is_served_on_the_thread_that_brings_it(watched):
    """A free reloader costs no hand-off: the watcher's thread applies."""
    threads = []
    note = lambda *_: threads.append(threading.current_thread())  # noqa: E731  # an act
    watched.script("m1", "reconfigure", note)
    watcher = threading.Thread(
        target=watched.source.set, args=(watched.document(2, names=ONE),)
    )

    watcher.start()
    watcher.join(5)

    assert threads == [watcher]
    assert watched.value() == 2


def test_a_lone_hint_wakes_no_other_thread_before_it_is_served(bench):
    """A thread that wakes for nothing holds up the one that applies."""
    woken = threading.Event()
    wait = bench.system.wait

    def waited(condition, timeout):
        wait(condition, timeout)
        woken.set()

    raw = bench.document(1, names=ONE)
    system = System(bench.system.monotonic, wait=waited)
    bench.run(raw, watch=True, sweep=5.0, system=system)
    bench.settle()
    seen = []

    def look(*_):
        seen.append(woken.wait(0.2))  # as long as it takes to tell that nobody came

    bench.script("m1", "reconfigure", look)
    woken.clear()
    bench.hinted(bench.document(2, names=ONE))

    assert seen == [False]
    assert bench.value() == 2


def test_a_hint_from_the_main_thread_is_served_elsewhere(watched):
    """A signal handler never runs a change itself."""
    threads = []
    note = lambda *_: threads.append(threading.current_thread())  # noqa: E731  # an act
    watched.script("m1", "reconfigure", note)

    watched.source.set(watched.document(2, names=ONE))

    assert watched.value() == 1
    watched.system.advance(0.011)
    wait_until(lambda: watched.value() == 2, "the change")
    assert threads[0] is not threading.main_thread()


def test_a_hint_from_an_event_loop_is_served_elsewhere(watched):
    """A hint inside a coroutine does not hold up its loop."""
    threads = []
    note = lambda *_: threads.append(threading.current_thread())  # noqa: E731  # an act
    watched.script("m1", "reconfigure", note)

    async def hint():
        watched.source.set(watched.document(2, names=ONE))

    loops = threading.Thread(target=lambda: asyncio.run(hint()))
    loops.start()
    loops.join(5)
    watched.system.advance(0.011)

    wait_until(lambda: watched.value() == 2, "the change")
    assert threads[0] is not loops


def test_a_burst_is_acted_on_when_it_is_quiet(watched):
    """After the last hint of a burst, 10 ms of quiet are enough."""
    watched.hinted(watched.document(2, names=ONE))
    loads = watched.source.loads
    watched.hinted(watched.document(3, names=ONE))

    watched.system.advance(0.009)
    watched.settle()
    early = watched.source.loads
    watched.system.advance(0.002)
    wait_until(lambda: watched.value() == 3, "the change")

    assert early == loads


def test_hints_without_an_end_starve_nothing(watched):
    """A burst that never ends is acted on after 200 ms at the latest."""
    watched.hinted(watched.document(2, names=ONE))
    watched.hinted(watched.document(3, names=ONE))
    spent = 0.0

    while watched.value() != 3 and spent < 1.0:
        watched.system.advance(0.005)
        spent += 0.005
        watched.source.hint()
        watched.settle()
        if spent > 0.2:
            wait_until(lambda: watched.value() == 3, "the change")

    assert watched.value() == 3
    assert spent <= 0.210


def test_a_doubled_hint_changes_nothing(watched):
    """Hints are counted by nobody."""
    watched.source.hints = 2
    watched.hinted(watched.document(2, names=ONE))
    watched.elapse(0.05)

    assert watched.runtime.snapshot.generation == 2


def test_a_lost_hint_is_found_by_the_sweep(watched):
    """What no event told is found within the sweep's pause."""
    watched.source.hints = 0
    watched.source.set(watched.document(2, names=ONE))

    watched.system.advance(4.9)
    watched.settle()
    early = watched.value()
    watched.system.advance(0.2)
    wait_until(lambda: watched.value() == 2, "the sweep")

    assert early == 1


@pytest.mark.no_canaries("a reference is one more load")
def test_a_sweep_of_an_unchanged_source_does_not_load_it(watched):
    """An equal token spares the read."""
    loads, hashes = watched.source.loads, watched.source.hashes

    watched.system.advance(5.1)
    wait_until(lambda: watched.source.hashes > hashes, "the sweep")

    assert watched.source.loads == loads


def test_without_watching_only_a_reload_looks(bench):
    """A runtime that does not watch opens no watch and never sweeps."""
    bench.run(bench.document(1, names=ONE), watch=False)
    hashes = bench.source.hashes

    bench.source.set(bench.document(2, names=ONE))
    bench.system.advance(1000)
    bench.settle()

    assert bench.source.hashes == hashes
    assert bench.source.watchers == 0
    assert bench.runtime.status()["sources"][0]["mode"] == "manual"
    assert isinstance(bench.runtime.reload(), Applied)


def test_a_watch_ends_with_the_runtime(watched):
    """After stop no watch is open, and hints fall on deaf ears."""
    assert watched.source.watchers == 1

    watched.runtime.stop()
    watched.runtime.hint()

    assert watched.source.watchers == 0
    assert not watched.runtime.running


def test_a_watch_whose_thread_hangs_is_opened_anew(watched):
    """A module that hangs in a watcher's thread does not make the reloader blind."""
    watched.script("m1", "reconfigure", watched.hang)
    lost = watched.source._notify[0]
    hints = threading.Thread(
        target=watched.source.set, args=(watched.document(2, names=ONE),)
    )
    hints.start()
    settled = lambda: watched.runtime._reloader.attempts.rejected is not None  # noqa: E731  # a wait
    wait_until(settled, "the abandoned attempt")

    fresh_ones = lambda: [n for n in watched.source._notify if n != lost]  # noqa: E731  # a wait
    wait_until(fresh_ones, "a fresh watch")
    wait_until(lambda: watched.source.watchers == 1, "the end of the lost watch")
    fresh = fresh_ones()[0]
    watched.source.hints = 0
    watched.source.set(watched.document(3, names=ONE))
    fresh()
    watched.elapse(0.05)
    wait_until(lambda: watched.value() == 3, "the change")
    watched.released.set()
    hints.join(5)

    assert watched.value() == 3


def test_a_source_without_a_watch_is_swept(bench):
    """`watch` is optional: the sweep alone converges."""

    class Bare:
        def __init__(self, inner):
            self.inner = inner

        @hookimpl
        def load(self):
            return self.inner.load()

    bench.run(bench.document(1, names=ONE))
    bench.runtime.stop()
    bare = Bare(bench.source)
    bench.make(bench.document(1, names=ONE), source=bare, watch=True).start()
    bench.source.set(bench.document(2, names=ONE))

    bench.system.advance(5.1)

    wait_until(lambda: bench.value() == 2, "the sweep")
    assert bench.runtime.status()["sources"][0]["mode"] == "sweep"


def test_a_watch_that_comes_too_late_is_left_at_once(bench):
    """An `__enter__` that returns after its deadline is undone, and hints nothing."""
    log, notifies = [], []

    class Late(contextlib.AbstractContextManager):
        def __enter__(self):
            log.append("enter")
            if len(log) == 1:
                bench.hang()

        def __exit__(self, *_exc):
            log.append("exit")

    class Watched(FakeSource):
        @hookimpl
        def watch(self, notify):
            notifies.append(notify)
            return Late()

    source = Watched(bench.document(1, names=ONE))
    runtime = bench.make({}, source=source, watch=True, sweep=5.0)
    runtime.start()
    before = list(log), runtime.status()["sources"][0]["mode"]
    bench.released.set()
    wait_until(lambda: "exit" in log, "the exit")
    looks = source.hashes, source.loads
    hinting = threading.Thread(target=notifies[0])
    hinting.start()
    hinting.join(5)

    assert before == (["enter"], "sweep")
    assert log == ["enter", "exit"]
    assert (source.hashes, source.loads) == looks
