"""A stop is made, and made once, however late it comes and whoever loses patience."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from typing import Any

import attrs
import pytest

from midflight import Runtime, hookimpl
from midflight._system import System
from midflight.errors import StoppedError
from midflight.testing import FakeSource, wait_until

NAMES = {f"m{number}" for number in range(20)}


def document(value, names=("a",)):
    """Return modules of one type that all have that value."""
    entry = {"type": "m", "config": {"v": value}}
    return {"modules": dict.fromkeys(names, entry)}


@pytest.fixture
def stopped():
    """Return the names of the modules that were stopped."""
    return []


@pytest.fixture
def scripted(stopped):
    """Return a module class whose hooks do what a test sets."""

    class Module:
        begin = change = end = staticmethod(lambda: None)

        def __init__(self, name):
            self.name = name

        @hookimpl
        def start(self):
            self.begin()

        @hookimpl
        def reconfigure(self):
            self.change()

        @hookimpl
        def stop(self):
            self.end()
            stopped.append(self.name)

    return Module


def test_modules_are_stopped_also_when_that_comes_too_late(scripted, stopped, caplog):
    """Who does not get it done within `shutdown` still does it; no thread stays."""
    before, changing = {*threading.enumerate()}, threading.Event()

    def slow():
        changing.set()
        time.sleep(0.03)  # each within what the least of deadlines leaves it

    source = FakeSource(document(1, NAMES))
    runtime = Runtime(source, modules={"m": scripted}, shutdown=0.1)
    runtime.start()
    scripted.change = staticmethod(slow)
    source.set(document(2, NAMES))
    threading.Thread(target=runtime.reload).start()
    assert changing.wait(10)

    runtime.stop()

    assert "shutdown took more than 0.1 s" in caplog.text
    wait_until(lambda: {*stopped} == NAMES, "the end of each module")
    wait_until(lambda: {*threading.enumerate()} <= before, "the end of the threads")


def reload(runtime):
    """Ask for a reload, as a request does."""
    return runtime.reload().reason


def wait(runtime):
    """Wait for a change that does not come."""
    with pytest.raises(StoppedError) as caught:
        runtime.wait(9, timeout=30)
    return str(caught.value).partition(";")[0]


@pytest.mark.parametrize(
    ("act", "answer"), [(reload, "stopped"), (wait, "no generation 9 before it stops")]
)
def test_who_waits_is_told_before_modules_are_stopped(scripted, stopped, act, answer):
    """Else a module that lets requests end would wait for one that waits for the stop.

    A server is such a module, and a request that asks for a reload such a request.
    """
    changing, go = threading.Event(), threading.Event()
    waiting: set[threading.Thread] = set()
    told: list[str] = []

    def noting(condition, left):
        waiting.add(threading.current_thread())
        System().wait(condition, left)

    def change():
        changing.set()
        go.wait(10)

    source = FakeSource(document(1))
    system = attrs.evolve(System(), wait=noting)
    runtime = Runtime(source, modules={"m": scripted}, system=system)
    runtime.start()
    scripted.change = staticmethod(change)
    source.set(document(2))
    first = threading.Thread(target=runtime.reload)
    first.start()
    assert changing.wait(10)
    request = threading.Thread(target=lambda: told.append(act(runtime)))
    request.start()
    wait_until(lambda: request in waiting, "its place in the queue")

    def end():
        request.join(10)
        told.append("the end")

    scripted.end = staticmethod(end)
    stopping = threading.Thread(target=runtime.stop)
    stopping.start()
    wait_until(lambda: stopping in waiting, "the stop")
    go.set()
    for thread in (first, stopping):
        thread.join(20)

    assert told == [answer, "the end"]
    assert stopped == ["a"]


@pytest.fixture
def crowded():
    """Run a coroutine on a loop that has one thread for what blocks."""

    def run(main):
        async def alone():
            one = concurrent.futures.ThreadPoolExecutor(1)
            asyncio.get_running_loop().set_default_executor(one)
            await main()

        asyncio.run(alone())

    return run


async def turns():
    """Let the loop do what is due."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_an_end_that_is_cancelled_stops_all_the_same(crowded, scripted, stopped):
    """`async with` that is cancelled again, while its stop waits for a thread."""
    runtime = Runtime(FakeSource(document(1)), modules={"m": scripted})
    go = threading.Event()

    async def main():
        inside = asyncio.Event()

        async def use():
            async with runtime:
                asyncio.get_running_loop().run_in_executor(None, go.wait, 10)
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(use())
        await inside.wait()
        for _ in range(2):
            task.cancel()
            await turns()
        go.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    crowded(main)

    # Whoever is cancelled twice has gone before; the stop goes on in its thread.
    wait_until(lambda: not runtime.running and stopped == ["a"], "the stop", 10)


def test_an_end_needs_no_thread_of_the_loops_own(crowded):
    """A module may keep them all, until it is stopped."""
    over = threading.Event()

    class Works:
        work: Any

        def __init__(self, name):
            pass

        @hookimpl
        async def start(self):
            self.work = asyncio.get_running_loop().run_in_executor(None, over.wait, 10)

        @hookimpl
        async def stop(self):
            over.set()
            ended.append(await self.work)  # what `wait` says: whether it was set

    ended: list[bool] = []

    async def main():
        async with Runtime(FakeSource(document(1)), modules={"m": Works}, shutdown=5):
            pass

    crowded(main)

    assert ended == [True]


def test_a_loop_that_ends_while_a_start_is_cancelled_stops_it(
    crowded, scripted, stopped
):
    """What `asyncio.run` cancels at its end is not what stops the modules."""
    runtime = Runtime(FakeSource(document(1)), modules={"m": scripted})
    go = threading.Event()

    async def main():
        loop, beginning = asyncio.get_running_loop(), asyncio.Event()

        def begin():
            loop.call_soon_threadsafe(beginning.set)
            go.wait(10)

        scripted.begin = staticmethod(begin)
        task = asyncio.create_task(runtime.__aenter__())
        await beginning.wait()
        task.cancel()
        await turns()
        loop.call_soon(go.set)

    crowded(main)

    assert (runtime.running, stopped) == (False, ["a"])
