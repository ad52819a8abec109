from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
import threading
import time
from typing import Any

import attrs
import pytest

from midflight import Applied, Health, Held, Runtime, hookimpl
from midflight._system import System
from midflight.errors import Code, MidflightError
from midflight.testing import FakeSource, wait_until


class Plain:
    """A module that does what its class says, and shows what it has."""

    Config: Any = None
    act: Any = staticmethod(lambda _config: None)

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        self.config = config

    @hookimpl
    def reconfigure(self, config):
        self.act(config)
        self.config = config

    @hookimpl
    def probe(self):
        return {"config": self.config}


def entry(rate, **more):
    """Return a configuration of one module."""
    return {"modules": [{"name": "a", "type": "m", "config": {"rate": rate, **more}}]}


@contextlib.contextmanager
def running(kind, **options):
    """Run one module of a class on a source; give the runtime and the source."""
    source = FakeSource(entry(1))
    with Runtime(source, modules={"m": kind}, **options) as runtime:
        yield runtime, source


def change(runtime, source, document):
    """Change the source and reload; return the outcome."""
    source.set(document)
    return runtime.reload()


@attrs.frozen
class Rate:
    rate: int = 0


# -- the way back --------------------------------------------------------------------


def test_a_module_that_changes_its_configuration_gets_the_old_one_back():
    """The way back structures anew: the module may have written into its object."""

    @dataclasses.dataclass
    class Mutable:
        rate: int

    class Writes(Plain):
        Config = Mutable

        @hookimpl
        def reconfigure(self, config):
            if config.rate == 2:
                self.config.rate = 2
                raise RuntimeError("half-way")
            self.config = config

    with running(Writes) as (runtime, source):
        outcome = change(runtime, source, entry(2))
        probed = runtime.probe("a").values["config"]

    assert outcome.name == "rolled_back"
    assert probed == Mutable(1)


def test_partial_reloads_fully_when_a_module_refuses_its_change():
    """The original rule: one that does not take it in place means a full reload."""

    class Refuses(Plain):
        @hookimpl
        def reconfigure(self):
            raise ValueError("not in place")

    with running(Refuses, strategy="partial") as (runtime, source):
        first = runtime.module("a")
        outcome = change(runtime, source, entry(2))

        assert isinstance(outcome, Applied)
        assert runtime.module("a") is not first
        assert runtime.module("a").config["rate"] == 2


@pytest.mark.parametrize("answer", [False, Health(healthy=False)])
def test_a_probe_that_says_no_takes_the_change_back(answer):
    """`False` and an unhealthy `Health` are a no."""

    class Ill(Plain):
        @hookimpl
        def probe(self):
            return answer if self.config["rate"] == 2 else None

    with running(Ill) as (runtime, source):
        outcome = change(runtime, source, entry(2))

        assert str(outcome.reason) == "probe_failed"
        assert runtime.module("a").config["rate"] == 1
        assert runtime.probe("a").healthy


def test_an_exception_that_cannot_be_shown_is_reported_all_the_same():
    """A foreign `__str__` that raises hides no fault and ends no thread."""

    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    class Fails(Plain):
        @staticmethod
        def act(config):
            if config["rate"] == 2:
                raise MuteError

    with running(Fails) as (runtime, source):
        outcome = change(runtime, source, entry(2))

    assert outcome.name == "rolled_back"
    assert "MuteError" in outcome.faults[0].message


# -- coroutines ----------------------------------------------------------------------


def test_a_coroutine_that_overran_writes_nothing_afterwards():
    """It has ended before the way back begins, whatever it does when cancelled."""
    written = []

    class Stubborn(Plain):
        deadline = 0.2

        @hookimpl
        async def reconfigure(self, config):
            try:
                await asyncio.sleep(30 if config["rate"] == 2 else 0)
            except asyncio.CancelledError:
                await asyncio.sleep(0.1)
            self.config = config
            written.append(config["rate"])

    with running(Stubborn) as (runtime, source):
        outcome = change(runtime, source, entry(2))
        wait_until(lambda: 2 in written, "the end of the coroutine")

        assert str(outcome.reason) == "step_timeout"
        assert runtime.module("a").config["rate"] == 1


def test_an_event_loop_is_never_blocked_by_a_reload():
    """On the loop of the hooks `reload` says what to do instead; a hook gets `Held`."""
    inside = []

    class Asks(Plain):
        @hookimpl
        async def reconfigure(self, config, runtime):
            inside.append(runtime.reload())
            self.config = config

    async def embed():
        source = FakeSource(entry(1))
        async with Runtime(source, modules={"m": Asks}) as runtime:
            with pytest.raises(MidflightError, match=r"asyncio\.to_thread"):
                runtime.reload()
            source.set(entry(2))
            outcome = await asyncio.to_thread(runtime.reload)
            runtime.settings("a", Rate)
            return outcome

    outcome = asyncio.run(embed())

    assert isinstance(outcome, Applied)
    assert [type(each) for each in inside] == [Held]


def test_a_task_on_our_own_loop_is_told_as_well():
    """What a module leaves running on Midflight's loop must not block it either."""
    told = []

    class Leaves(Plain):
        @hookimpl
        async def start(self, config, runtime):
            self.config = config
            self.go = asyncio.Event()
            self.task = asyncio.create_task(self.later(runtime))

        async def later(self, runtime):
            await self.go.wait()
            try:
                runtime.reload()
            except MidflightError as exc:
                told.append(str(exc))

        @hookimpl
        async def reconfigure(self, config):
            self.config = config
            self.go.set()

    with running(Leaves, deadline=5) as (runtime, source):
        outcome = change(runtime, source, entry(2))
        wait_until(lambda: told, "the answer")

    assert isinstance(outcome, Applied)
    assert "asyncio.to_thread" in told[0]


def test_a_start_that_is_cancelled_leaves_nothing_running():
    """`async with` that is cancelled while it starts stops what it has begun."""
    begun, go = threading.Event(), threading.Event()
    stopped = []

    class Slow(Plain):
        @hookimpl
        def start(self, config):
            self.config = config
            begun.set()
            go.wait(10)

        @hookimpl
        def stop(self):
            stopped.append(self.name)

    runtime = Runtime(FakeSource(entry(1)), modules={"m": Slow})

    async def cancelled():
        async def enter():
            async with runtime:
                pass

        task = asyncio.create_task(enter())
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        go.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())

    assert not runtime.running
    assert stopped == ["a"]


# -- live settings -------------------------------------------------------------------


def test_settings_bound_in_a_hook_show_the_change_under_way():
    """A module that binds its settings in `start` sees its own generation."""
    seen = []

    class Binds(Plain):
        @hookimpl
        def start(self, config, runtime):
            self.config = config
            self.live = runtime.settings("a", Rate)
            seen.append(self.live.current.rate)

    with running(Binds) as (runtime, source):
        change(runtime, source, entry(2))

        assert seen == [1]
        assert runtime.module("a").live.current.rate == 2


def test_settings_of_one_name_and_type_are_one_view():
    """Asking again costs no further view at each change."""
    with running(Plain) as (runtime, _):
        assert runtime.settings("a", Rate) is runtime.settings("a", Rate)


# -- hangs and threads ---------------------------------------------------------------


def test_a_validator_that_hangs_stops_no_other_type():
    """A `Config` that never comes back is its own fault alone."""
    release = threading.Event()

    @attrs.frozen
    class Hangs:
        rate: int

        def __attrs_post_init__(self):
            if self.rate == 2:
                release.wait(10)

    class Hanging(Plain):
        Config = Hangs

    class Other(Plain):
        Config = Rate

    def document(a, b):
        pairs = (("a", "m", a), ("b", "n", b))
        modules = [{"name": n, "type": t, "config": {"rate": r}} for n, t, r in pairs]
        return {"modules": modules}

    source = FakeSource(document(1, 1))
    kinds = {"m": Hanging, "n": Other}
    with Runtime(source, modules=kinds, deadline=0.3) as runtime:
        hung = change(runtime, source, document(2, 1))
        other = change(runtime, source, document(1, 2))
        release.set()

    assert [fault.code for fault in hung.faults] == [Code.E_TIMEOUT]
    assert isinstance(other, Applied)


def test_an_object_whose_start_comes_back_late_is_stopped():
    """What was given up while it started does not live on as a ghost."""
    release, stopped = threading.Event(), []

    class Late(Plain):
        deadline = 0.2

        @hookimpl
        def start(self, config):
            self.config = config
            if config["rate"] == 2:
                release.wait(10)

        @hookimpl
        def stop(self):
            stopped.append(self.config["rate"])

    class Restarted(Late):
        reconfigure: Any = None

    with running(Restarted) as (runtime, source):
        outcome = change(runtime, source, entry(2))
        release.set()
        wait_until(lambda: 2 in stopped, "the stop of the ghost")

        assert str(outcome.reason) == "step_timeout"
        assert runtime.module("a").config["rate"] == 1


def test_a_discard_that_fails_does_not_keep_a_late_stop_away(caplog):
    """What came back late is discarded, and then stopped if nobody wants it."""
    release, stopped = threading.Event(), threading.Event()

    class Late(Plain):
        deadline = 0.2

        @hookimpl
        def prepare(self, config):
            if config["rate"] == 2:
                release.wait(10)
            return "ready"

        @hookimpl
        def discard(self, prepared):
            msg = f"cannot discard what is {prepared}"
            raise ValueError(msg)

        @hookimpl
        def stop(self):
            stopped.set()

    with running(Late) as (runtime, source):
        late = change(runtime, source, entry(2))
        gone = change(runtime, source, {"modules": []})
        release.set()
        wait_until(stopped.is_set, "the stop that waited")

        assert str(late.reason) == "prepare_refused"
        assert isinstance(gone, Applied)
    assert "cannot discard what is ready" in caplog.text


def test_a_machine_without_threads_goes_on_once_the_hang_ends():
    """Where no thread can take over, the one that hangs is waited for."""
    refused: list[str] = []
    release, never = threading.Event(), threading.Event()

    def spawn(name, target):
        if name == "midflight-apply" and not refused:
            refused.append(name)
            release.set()
            raise RuntimeError("can't start new thread")
        System().spawn(name, target)

    class Hangs(Plain):
        deadline = 0.2

        @staticmethod
        def act(config):
            if config["rate"] == 2:
                release.wait(10)
            if config["rate"] == 3:
                never.wait(10)

    with running(Hangs, system=System(spawn=spawn)) as (runtime, source):
        outcome = change(runtime, source, entry(2))
        again = change(runtime, source, entry(3))
        never.set()

    assert refused
    assert isinstance(outcome, Applied)
    assert str(again.reason) == "step_timeout"


def test_a_check_that_hangs_holds_up_no_reload():
    """A `load` that hangs on a user's thread costs the loop a deadline, no more."""
    release = threading.Event()

    class Hangs(FakeSource):
        hang = False

        @hookimpl
        def load(self):
            if threading.current_thread().name == "user":
                release.wait(10)
            return super().load()

    source = Hangs(entry(1))
    with Runtime(source, modules={"m": Plain}, deadline=0.3) as runtime:
        user = threading.Thread(target=runtime.check, name="user")
        user.start()
        wait_until(runtime._reloader.attempts.reading.locked, "the check")
        outcome = runtime.reload()
        release.set()
        user.join(10)
        after = runtime.reload()

    assert str(outcome.reason) == "source_unavailable"
    assert after.ok


def test_a_users_hint_is_served_by_the_loop():
    """`Runtime.hint` never runs a change on the thread of the application."""
    threads = []

    class Notes(Plain):
        @staticmethod
        def act(_config):
            threads.append(threading.current_thread())

    with running(Notes, watch=True) as (runtime, source):
        source.hints = 0
        source.set(entry(2))
        mine = threading.Thread(target=runtime.hint)
        mine.start()
        mine.join(10)
        runtime.wait(generation=2)

    assert threads
    assert mine not in threads


def ended(child):
    """Wait for a child, in time; return its exit code, or `None`."""
    due = time.monotonic() + 20
    done, status = os.waitpid(child, os.WNOHANG)
    while not done and time.monotonic() < due:
        time.sleep(0.01)
        done, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_follows_the_source_by_itself():
    """Threads do not survive a fork: the child starts its own and reloads."""
    with running(Plain, watch=True, sweep=0.1) as (runtime, source):
        runtime.shared["lock"] = lock = threading.Lock()
        lock.acquire()  # by a thread that the child will not have
        child = os.fork()
        if not child:
            code = 1
            with contextlib.suppress(BaseException):
                assert "lock" not in runtime.shared
                source.hints = 0
                source.set(entry(2))
                runtime.wait(generation=2, timeout=10)
                code = 0 if runtime.reload().ok else 2
            os._exit(code)

        assert ended(child) == 0
        assert runtime.snapshot.generation == 1
        assert runtime.shared["lock"] is lock


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_that_a_hook_forks_follows_nothing():
    """A module's worker is no second service: it would change, and fork, as well."""
    codes: list[int | None] = []

    class Forks(Plain):
        @hookimpl
        def reconfigure(self, config):
            child = os.fork()
            if not child:
                idle = (
                    runtime.running is False and runtime.status()["state"] == "stopped"
                )
                runtime.stop()  # does nothing, and ends
                os._exit(0 if idle else 1)
            codes.append(ended(child))

    with running(Forks, watch=True, sweep=0.1) as (runtime, source):
        source.set(entry(2))
        runtime.wait(generation=2, timeout=10)

        assert codes == [0]


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_not_wait_for_a_thread_that_it_has_not():
    """What hangs in the parent while it forks does not keep the child from looking."""
    released, hangs, here = threading.Event(), threading.Event(), os.getpid()

    class Hangs(FakeSource):
        @hookimpl
        def load(self):
            if hangs.is_set() and os.getpid() == here:
                released.wait(20)
            return super().load()

    source = Hangs(entry(1))
    given = functools.partial(Runtime, watch=True, sweep=0.1, backoff=0.1)
    with given(source, modules={"m": Plain}, deadline=0.3) as runtime:
        hangs.set()
        outcome = runtime.reload()
        child = os.fork()
        if not child:
            code = 1
            with contextlib.suppress(BaseException):
                source.set(entry(2))
                runtime.wait(generation=2, timeout=10)
                code = 0
            os._exit(code)
        code = ended(child)
        released.set()

        assert outcome.reason == "source_unavailable"
        assert code == 0
