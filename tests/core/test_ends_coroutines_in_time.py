from __future__ import annotations

import asyncio
import contextlib
import gc
import threading

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import StepTimeoutError, is_transient
from midflight.testing import FakeModule, FakeSource, wait_until

ENTRY = {"modules": [{"name": "m", "type": "leaves"}]}


async def _ignores_its_cancellation(over):
    while not over.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)


async def _waits_in_a_thread(over):
    await asyncio.get_running_loop().run_in_executor(None, over.wait, 60)


@pytest.fixture
def over():
    """Return an event that ends what a test left hanging."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("left", [_ignores_its_cancellation, _waits_in_a_thread])
def test_what_a_module_left_running_does_not_keep_the_loop(over, left):
    """The runtime's own loop ends with it, whatever still runs there."""
    threads, tasks = [], []

    class Leaves(FakeModule):
        @hookimpl
        async def start(self):
            threads.append(threading.current_thread())
            tasks.append(asyncio.ensure_future(left(over)))
            await asyncio.sleep(0)

    with Runtime(FakeSource(ENTRY), modules={"leaves": Leaves}):
        assert threads[0].is_alive()

    wait_until(lambda: not threads[0].is_alive(), "the end of the loop")
    tasks.clear()
    gc.collect()  # asyncio tells here, and in no other test, of what did not end

    assert not over.is_set()


@pytest.fixture
def blocked(over):
    """Return an application's event loop that something blocks until it is over."""
    loop = asyncio.new_event_loop()
    loop.call_soon(over.wait, 60)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    over.set()
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


def test_a_blocked_loop_is_the_timeout_of_the_hook(over, blocked):
    """Who calls a coroutine there is told in time, and it is not run later."""
    stored = []

    class Slow(FakeSource):
        @hookimpl
        async def put(self, document):
            stored.append(document)
            return 1

    with Runtime(Slow({}), loop=blocked, deadline=0.1) as runtime:
        document = runtime.snapshot.document
        with pytest.raises(StepTimeoutError, match="`put`") as raised:
            runtime.put(document, expected_version=None)
        over.set()
        nothing = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), blocked)
        nothing.result(20)

    assert not is_transient(raised.value)
    assert stored == []
