from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import sys
import threading
import warnings

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import Code, MidflightError, PluginApiError, StoppedError
from midflight.testing import FakeModule, FakeSource, wait_until
from midflight.testing._calls import Child

ENTRY = {"modules": [{"name": "m", "type": "asks", "config": {"v": 1}}]}
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


class Reads(FakeSource):
    """A source in coroutines; it notes the loop and the thread of each call."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def note(self, hook):
        place = asyncio.get_running_loop(), threading.current_thread()
        self.seen.append((hook, *place))

    @property
    def threads(self):
        return {thread for _, _, thread in self.seen}

    @hookimpl
    async def load(self):
        self.note("load")
        return {}

    @hookimpl
    async def put(self, document):
        self.note("put")
        return 1

    @hookimpl
    async def stop(self):
        self.note("stop")


class Asks(FakeModule):
    """A module that starts in a coroutine."""

    @hookimpl
    async def start(self, config):
        await asyncio.sleep(0)
        self.config = config


@pytest.fixture
def source():
    """Return a source in coroutines."""
    return Reads()


def wait_for_the_end(source):
    """Wait until each thread that a source was called on has ended."""
    wait_until(lambda: not any(t.is_alive() for t in source.threads), "their end")


# -- who runs them -------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["start", "load"])
def test_without_the_plugin_the_error_says_what_to_do(hook):
    """Who blocks what runs coroutines learns of it from the first one."""
    source = FakeSource(ENTRY) if hook == "start" else Reads()
    runtime = Runtime(source, modules={"asks": Asks}, plugins=["no:coroutines"])

    with pytest.raises(MidflightError, match=rf"`{hook}` is async.*`adapt`.*allow one"):
        runtime.start()


def test_without_the_plugin_a_question_has_a_code(source):
    """The error is one of the plugin interface, not of the source's content."""
    runtime = Runtime(source, plugins=["no:coroutines"])

    with pytest.raises(PluginApiError) as raised:
        runtime.put(runtime.snapshot.document, expected_version=None)
    assert raised.value.code is Code.E_PLUGIN_API


def test_a_plugin_may_run_them_in_its_own_way():
    """What another plugin makes of a coroutine function is called in its place."""
    asked, threads = [], []

    class Notes(Asks):
        @hookimpl
        async def start(self, config):
            threads.append(threading.current_thread())

    class RunsHere:
        @hookimpl
        def adapt(self, method, hook, deadline, participant):
            asked.append((hook, deadline, participant))
            return functools.wraps(method)(lambda **named: asyncio.run(method(**named)))

    runtime = Runtime(
        FakeSource(ENTRY), modules={"asks": Notes}, plugins=[RunsHere()], deadline=7
    )
    with runtime:
        loop = runtime.loop

    assert asked == [("start", 7, "module `m` (asks)")]
    assert threads[0].name == "midflight"
    assert loop is None


# -- how long the loop lives ---------------------------------------------------------


def test_one_loop_serves_a_runtime_from_before_its_start_to_after_its_end(source):
    """A check, a start and the last `stop` share a loop, which then ends."""
    runtime = Runtime(source)
    runtime.check()
    with runtime:
        runtime.reload()
        loop = runtime.loop

    assert [hook for hook, *_ in source.seen][-1] == "stop"
    assert {loop for _, loop, _ in source.seen} == {loop}
    assert len(source.threads) == 1
    wait_for_the_end(source)
    assert loop
    assert loop.is_closed()


def test_each_runtime_has_a_loop_of_its_own(source):
    """The end of one leaves the coroutines of another alone."""
    other = Reads()
    with Runtime(other) as goes_on:
        with Runtime(source):
            pass
        outcome = goes_on.reload()

    assert outcome.ok
    assert source.threads.isdisjoint(other.threads)


def test_a_stopped_runtime_runs_no_coroutine(source):
    """What is asked of it later is told so, and begins no loop that would stay."""
    with Runtime(source) as runtime:
        document = runtime.snapshot.document
    before = list(source.seen)

    with pytest.raises(StoppedError, match="event loop"):
        runtime.put(document, expected_version=None)
    assert source.seen == before


def test_a_loop_ends_with_a_runtime_that_never_started(source):
    """Who only asks, and lets go of the runtime, is left with no thread."""
    runtime = Runtime(source)
    runtime.check()
    del runtime
    gc.collect()

    assert len(source.threads) == 1
    wait_for_the_end(source)


def test_no_thread_for_the_loop_fails_the_hook_alone(source, monkeypatch):
    """Where no thread is to be had, the next call tries again."""
    runtime = Runtime(source)

    def refused(self):
        msg = "can't start new thread"
        raise RuntimeError(msg)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        with pytest.raises(MidflightError, match="can't start new thread"):
            runtime.read()

    assert runtime.read()[0] == runtime.snapshot.document


@pytest.mark.parametrize("end", [sys.exit, None], ids=["exit", "stop"])
def test_what_ends_the_loop_from_within_ends_no_other_coroutine(source, end):
    """A server that exits for want of its port is one; the next call comes at once."""
    with Runtime(source, deadline=3) as runtime:
        loop = runtime.loop
        assert loop
        loop.call_soon_threadsafe(end or loop.stop)
        outcome = runtime.reload()

    assert outcome.ok
    assert len(source.threads) == 1
    wait_for_the_end(source)
    assert loop.is_closed()


def test_a_task_that_exits_when_it_is_cancelled_leaves_the_others_their_end(source):
    """Each learns that the loop ends, and the loop is closed."""
    ended = []

    async def waits(name):
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append(name)
            sys.exit(name)

    async def begin():
        return [asyncio.ensure_future(waits(name)) for name in "abc"]

    with Runtime(source) as runtime:
        loop = runtime.loop
        assert loop
        tasks = asyncio.run_coroutine_threadsafe(begin(), loop).result(5)
    wait_for_the_end(source)

    assert sorted(ended) == ["a", "b", "c"]
    assert {type(task.exception()) for task in tasks} == {SystemExit}
    assert loop.is_closed()


def test_a_loop_that_its_application_has_closed_is_named(source):
    """What is asked then fails at once, and leaves no coroutine behind."""
    loop = asyncio.new_event_loop()
    loop.close()
    runtime = Runtime(source, loop=loop)

    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        with pytest.raises(MidflightError, match="Event loop is closed"):
            runtime.read()
        gc.collect()

    assert not noted


# -- forks ---------------------------------------------------------------------------


@FORKS
@pytest.mark.parametrize("started", [False, True])
def test_a_forked_child_has_a_loop_of_its_own(source, started):
    """Its parent's has no thread there, whether the runtime was started or asked."""
    runtime = Runtime(source)
    with runtime if started else contextlib.nullcontext():
        runtime.check()
        child = Child(lambda: f"{runtime.check()} {threading.active_count() > 1}")
        answer = child.answer(20)
        here = runtime.check()

    assert (answer, here) == ("() True", ())


@FORKS
def test_a_forked_child_does_not_wait_for_the_loop_of_its_parents_application(source):
    """The thread that runs that loop is not there either."""

    async def application():
        async with Runtime(source) as runtime:
            child = await asyncio.to_thread(Child, lambda: f"{runtime.check()}")
            return await asyncio.to_thread(child.answer, 20)

    assert asyncio.run(application()) == "()"
