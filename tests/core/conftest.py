"""A bench of modules that do what a test says, on a clock that a test moves."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from midflight import Health, Outcome, Runtime, hookimpl
from midflight.testing import FakeSource, FakeSystem, wait_until

NAMES = ("m1", "m2", "m3", "m4", "m5")
NEEDS = {"m2": ["m1"], "m3": ["m1"], "m4": ["m2", "m3"], "m5": ["m4"]}
DEADLINE = 100.0
Act = Callable[[Any, Any], Any]


class Bench:
    """One source, scripted modules, and the runtimes that a test starts on them."""

    def __init__(self) -> None:
        self.system = FakeSystem()
        self.source = FakeSource()
        self.log: list[tuple[str, str]] = []
        self.prepared: list[object] = []
        self.used: list[object] = []
        self.discarded: list[object] = []
        self.released = threading.Event()
        self.runtime: Runtime
        self._acts: dict[tuple[str, str, Any], Act] = {}
        self._runtimes: list[Runtime] = []

    # -- documents -------------------------------------------------------------------

    @staticmethod
    def document(
        value: Any, names: tuple[str, ...] = NAMES, kind: str = "plain", **sections: Any
    ) -> dict[str, Any]:
        """Return modules that depend on each other, listed against their order."""
        modules = [
            {
                "name": name,
                "type": kind,
                "config": {"v": value},
                "dependsOn": [need for need in NEEDS.get(name, ()) if need in names],
            }
            for name in reversed(names)
        ]
        return {"modules": modules, **sections}

    # -- runtimes --------------------------------------------------------------------

    def make(self, raw: Any, **options: Any) -> Runtime:
        """Make a runtime on the bench's source, not started."""
        self.source.set(raw)
        given: dict[str, Any] = {
            "source": self.source,
            "modules": self.types(),
            "system": self.system,
            "deadline": DEADLINE,
        }
        self.runtime = Runtime(**given | options)
        self._runtimes.append(self.runtime)
        return self.runtime

    def run(self, raw: Any, **options: Any) -> Runtime:
        """Make and start a runtime."""
        runtime = self.make(raw, **options)
        runtime.start()
        self.forget()
        return runtime

    def change(self, raw: Any) -> Outcome:
        """Give the source another content and take it over."""
        self.source.set(raw)
        return self.runtime.reload()

    def forget(self) -> None:
        """Begin to write the log anew."""
        self.log.clear()

    def close(self) -> None:
        """Let what hangs go on, and stop what runs."""
        self.released.set()
        for runtime in self._runtimes:
            stopping = threading.Thread(target=runtime.stop, daemon=True)
            stopping.start()
            stopping.join(2)
            while stopping.is_alive():  # the core waits for a time that stands still
                self.system.advance(1)
                stopping.join(0.01)

    # -- scripts ---------------------------------------------------------------------

    def script(self, name: str, hook: str, act: Act, value: Any = 2) -> None:
        """Act when a module's hook meets that value."""
        self._acts[name, hook, value] = act

    def unscript(self) -> None:
        """Let every module behave."""
        self._acts.clear()

    def hang(self, _module: Any = None, _config: Any = None) -> None:
        """Overrun the deadline, and come back when the test is over."""
        self.system.advance(DEADLINE + 1)
        self.released.wait(20)

    def block(self, _module: Any = None, _config: Any = None) -> None:
        """Hang, without letting time pass."""
        self.released.wait(20)

    def act(self, module: Any, hook: str, config: Any) -> Any:
        """Note the call and do what the test asked for."""
        self.log.append((hook, module.name))
        value = module.v if config is None else config["v"]
        act = self._acts.get((module.name, hook, value))
        return act(module, config) if act else None

    def token(self, module: Any, config: Any) -> object:
        """Return what `prepare` returns: a thing to be used or discarded once."""
        token = (module.name, config["v"], object())
        self.prepared.append(token)
        return token

    # -- time ------------------------------------------------------------------------

    def value(self) -> Any:
        """Return the value of `m1` that is in force."""
        return self.runtime.snapshot.document.modules["m1"].config["v"]

    def settle(self) -> None:
        """Wait until no attempt is under way."""
        reloader = self.runtime._reloader
        wait_until(lambda: not reloader._busy, "a free reloader")

    def elapse(self, seconds: float, step: float = 0.005) -> None:
        """Let simulated time pass in steps, giving the loop a moment at each."""
        for _ in range(round(seconds / step)):
            self.system.advance(step)
            self.settle()

    def hinted(self, raw: Any) -> None:
        """Change the source; hint from a thread of its own, as a watcher does."""
        thread = threading.Thread(target=self.source.set, args=(raw,))
        thread.start()
        thread.join(5)
        assert not thread.is_alive()

    @staticmethod
    def looked(source: FakeSource, hashes: int) -> bool:
        """Tell whether a source was asked since it had been asked so often."""
        return source.hashes > hashes

    # -- oracles ---------------------------------------------------------------------

    def values(self) -> dict[str, Any]:
        """Return what each module of the running document says is in force."""
        names = self.runtime.snapshot.document.modules
        return {name: dict(self.runtime.probe(name).values) for name in names}

    def calls(self, hook: str) -> list[str]:
        """Return the modules on which a hook was called, in order."""
        return [name for called, name in self.log if called == hook]

    def types(self) -> dict[str, Callable[..., Any]]:
        """Return the module classes by their type names."""
        return plain_types(self) | async_types(self)


def plain_types(bench: Bench) -> dict[str, Callable[..., Any]]:
    """Make module classes that report to a bench."""

    class Rigid:
        """Has no `reconfigure`: a change restarts it."""

        def __init__(self, name: str) -> None:
            self.name = name
            self.v: Any = None

        @hookimpl
        def prepare(self, config):
            bench.act(self, "prepare", config)
            return bench.token(self, config)

        @hookimpl
        def start(self, config, prepared):
            bench.used.append(prepared)
            bench.act(self, "start", config)
            self.v = config["v"]

        @hookimpl
        def probe(self):
            health = bench.act(self, "probe", None)
            return health or Health(values={"v": self.v})

        @hookimpl
        def discard(self, prepared):
            bench.discarded.append(prepared)

        @hookimpl
        def stop(self):
            bench.act(self, "stop", None)

    class Plain(Rigid):
        @hookimpl
        def reconfigure(self, config, prepared):
            bench.used.append(prepared)
            bench.act(self, "reconfigure", config)
            self.v = config["v"]

    class Overlapping(Rigid):
        overlap = True

    class Parallel(Plain):
        parallel = True

    class ParallelRigid(Rigid):
        parallel = True

    return {
        "plain": Plain,
        "rigid": Rigid,
        "overlapping": Overlapping,
        "parallel": Parallel,
        "parallel rigid": ParallelRigid,
    }


def async_types(bench: Bench) -> dict[str, Callable[..., Any]]:
    """Make the module class whose hooks are coroutines."""

    class Asynchronous:
        """As `Plain`, in coroutines."""

        def __init__(self, name: str) -> None:
            self.name = name
            self.v: Any = None

        async def _act(self, hook, config):
            acted = bench.act(self, hook, config)
            return await acted if inspect.isawaitable(acted) else acted

        @hookimpl
        async def prepare(self, config):
            await self._act("prepare", config)
            return bench.token(self, config)

        @hookimpl
        async def start(self, config, prepared):
            bench.used.append(prepared)
            await self._act("start", config)
            self.v = config["v"]

        @hookimpl
        async def reconfigure(self, config, prepared):
            bench.used.append(prepared)
            await self._act("reconfigure", config)
            self.v = config["v"]

        @hookimpl
        async def probe(self):
            health = await self._act("probe", None)
            return health or Health(values={"v": self.v})

        @hookimpl
        async def discard(self, prepared):
            bench.discarded.append(prepared)

        @hookimpl
        async def stop(self):
            await self._act("stop", None)

    class Parallel(Asynchronous):
        parallel = True

    return {"async": Asynchronous, "parallel async": Parallel}


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Return a bench; its runtimes are stopped when the test is over."""
    made = Bench()
    yield made
    made.close()


@pytest.fixture
def watched(bench: Bench) -> Bench:
    """Return a bench that follows its source on simulated time."""
    raw = bench.document(1, names=("m1",))
    bench.run(raw, watch=True, sweep=5.0, backoff=30.0)
    return bench


def _raises(error: BaseException) -> Act:
    def act(_module: Any, _config: Any) -> None:
        raise error

    return act


def _changes_itself(module: Any, config: Any) -> None:
    module.v = config["v"] if config else "half done"
    msg = "changed, then failed"
    raise ValueError(msg)


FAULTS: dict[str, Act] = {
    "raises": _raises(ValueError("no")),
    "exits": _raises(SystemExit(3)),
    "is interrupted": _raises(KeyboardInterrupt()),
    "is cancelled": _raises(asyncio.CancelledError()),
    "changes itself, then raises": _changes_itself,
}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> Act:
    """Return each way in which a hook can fail at once."""
    return FAULTS[request.param]


@pytest.fixture
def fail() -> Act:
    """Return one way in which a hook can fail."""
    return FAULTS["raises"]


@pytest.fixture(params=NAMES)
def victim(request: pytest.FixtureRequest) -> str:
    """Return each of the modules, one after the other."""
    return str(request.param)


@pytest.fixture
def names() -> tuple[str, ...]:
    """Return all module names, in dependency order."""
    return NAMES
