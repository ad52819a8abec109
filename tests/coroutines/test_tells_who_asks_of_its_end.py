from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import threading
import warnings

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import MidflightError, StoppedError
from midflight.testing import FakeSource, wait_until


class Waits(FakeSource):
    """A source whose second `load` waits without end."""

    def __init__(self):
        super().__init__()
        self.waits = threading.Event()
        self.loads = 0

    @hookimpl
    async def load(self):
        self.loads += 1
        if self.loads > 1:
            self.waits.set()
            await asyncio.Event().wait()
        return {}


class Noted(asyncio.SelectorEventLoop):
    """A loop of an application; it notes that somebody gave it something to run."""

    def __init__(self):
        super().__init__()
        self.asked = threading.Event()

    def call_soon_threadsafe(self, *args, **options):
        handle = super().call_soon_threadsafe(*args, **options)
        self.asked.set()
        return handle


@pytest.fixture
def aside():
    """Return a function that calls another on a thread, and gives a future."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        yield pool.submit


def test_a_question_beside_a_stop_is_told_of_it(aside):
    """No `CancelledError` ends the thread that asks: it is no `Exception`."""
    source = Waits()
    with Runtime(source) as runtime:
        asked = aside(runtime.read)
        assert source.waits.wait(20)
    error = asked.exception(20)

    assert isinstance(error, MidflightError)
    assert isinstance(error.__cause__, StoppedError)
    assert "event loop" in str(error)


def test_a_coroutine_that_is_cancelled_by_itself_fails_its_hook_alone():
    """The error names the hook, and the runtime goes on."""

    class Cancels(FakeSource):
        @hookimpl
        async def load(self):
            raise asyncio.CancelledError

    runtime = Runtime(Cancels())

    with pytest.raises(MidflightError, match="`load` raised CancelledError") as raised:
        runtime.read()
    assert not isinstance(raised.value.__cause__, StoppedError)


def test_what_a_closed_loop_has_never_run_is_over_with_it(aside):
    """Who asked does not wait for the deadline, and no coroutine is left behind."""
    loop = Noted()
    runtime = Runtime(Waits(), loop=loop, deadline=3)

    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        asked = aside(runtime.read)
        assert loop.asked.wait(20)
        loop.close()
        error = asked.exception(20)
        gc.collect()

    assert isinstance(error, MidflightError)
    assert isinstance(error.__cause__, StoppedError)
    assert not noted


def test_a_loop_that_is_being_made_ends_with_its_runtime_too(monkeypatch):
    """The first coroutine comes beside `stop`, which waits for the loop to be there."""

    class Puts(FakeSource):
        @hookimpl
        async def put(self, document):
            return 1

    runtime = Runtime(Puts({}))
    runtime.start()
    begin, made = threading.Thread.start, []

    def stop_beside(self):
        if self.name == "midflight-asyncio":
            stopping = threading.Thread(target=runtime.stop)
            made.extend([self, stopping])
            begin(stopping)
            stopping.join(0.5)  # it ends, unless it waits for this
        begin(self)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", stop_beside)
        with contextlib.suppress(MidflightError):  # either is right
            runtime.put(runtime.snapshot.document, expected_version=None)

    assert len(made) == 2
    wait_until(lambda: not any(thread.is_alive() for thread in made), "their end")
