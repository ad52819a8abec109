from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from midflight import (
    Applied,
    Health,
    Loaded,
    Plan,
    PluginRegistry,
    Reconfigure,
    Rejected,
    Restart,
    Start,
    Stop,
    hookimpl,
)
from midflight._system import System
from midflight.errors import InvalidConfigurationError, MidflightError, PluginError
from midflight.testing import FakeModule, FakeSource, wait_until

EXITS = [SystemExit(3), KeyboardInterrupt(), ValueError("no"), RecursionError()]


def two(kind, value=1):
    """Return a module that is well, and one of a type that may not be."""
    modules = [
        {"name": "good", "type": "fake", "config": {"v": value}},
        {"name": "bad", "type": kind, "config": {"v": value}},
    ]
    return {"modules": modules}


GOOD = {"modules": [{"name": "good", "type": "fake", "config": {"v": 1}}]}


@pytest.mark.parametrize("error", EXITS, ids=repr)
def test_survives_exits_in_constructors(bench, error):
    """A module that cannot be made is refused, and the next change goes through."""

    class Bad(FakeModule):
        def __init__(self, name):
            raise error

    bench.run(GOOD, modules={"fake": FakeModule, "bad": Bad})

    outcome = bench.change(two("bad"))
    after = bench.change(two("fake"))

    assert isinstance(outcome, Rejected)
    assert outcome.faults[0].path[:2] == ("modules", "bad")
    assert isinstance(after, Applied)


def test_a_hanging_constructor_has_a_deadline(bench):
    """A module that hangs while it is made is left behind like any other."""

    class Bad(FakeModule):
        def __init__(self, name):
            super().__init__(name)
            bench.hang()

    bench.run(GOOD, modules={"fake": FakeModule, "bad": Bad})
    answers = []
    changing = threading.Thread(
        target=lambda: answers.append(bench.change(two("bad"))), daemon=True
    )
    changing.start()
    changing.join(5)

    assert answers, "the change hangs"
    assert not answers[0].ok
    assert isinstance(bench.change(two("fake")), Applied)


@pytest.mark.parametrize("target", ["no.such.module:X", "midflight:nothing"])
def test_a_type_that_cannot_be_imported_is_refused(bench, target):
    """A broken entry point is a fault of the document, with its reason."""
    from importlib.metadata import EntryPoint, EntryPoints

    surgical = "midflight_plugins.strategies:Surgical"
    points = EntryPoints(
        [
            EntryPoint("surgical", surgical, "midflight.strategies"),
            EntryPoint("bad", target, "midflight.modules"),
        ]
    )
    registry = PluginRegistry(points)
    bench.run(GOOD, modules={"fake": FakeModule}, registry=registry)

    outcome = bench.change(two("bad"))

    assert isinstance(outcome, Rejected)
    assert outcome.faults[0].code == "E_MODULETYPE"
    assert "cannot be used" in outcome.faults[0].message


class Transforms:
    """Does something to documents that have a section of that name."""

    def __init__(self, act):
        self.act = act

    @hookimpl(wrapper=True)
    def transform(self, document):
        document = yield
        return self.act() if "spoilt" in document.sections else document


def _exit():
    raise SystemExit(1)


@pytest.mark.parametrize("act", [lambda: None, lambda: 7, _exit, lambda: 1 // 0])
def test_a_document_plugin_that_misbehaves_is_reported(bench, act):
    """A `transform` that fails fails the attempt, not the source, and shows."""
    bench.run(GOOD, modules={"fake": FakeModule}, plugins=[Transforms(act)])

    outcome = bench.change(GOOD | {"spoilt": 1})

    assert outcome.reason == "plugin_failed"
    assert outcome.faults
    assert bench.runtime.status()["state"] == "rejected"
    assert bench.runtime.snapshot.generation == 1
    assert bench.change(GOOD).ok
    assert bench.runtime.status()["state"] == "healthy"


def test_a_document_plugin_may_change_the_document(bench):
    """What `transform` returns is what is used."""
    import attrs

    class Adds:
        @hookimpl(wrapper=True)
        def transform(self, document):
            document = yield
            return attrs.evolve(document, sections={"added": 1})

    bench.run(GOOD, modules={"fake": FakeModule}, plugins=[Adds()])

    assert bench.runtime.snapshot.document.sections == {"added": 1}


def _lost(path):
    raise LookupError(path)


def test_a_finder_of_places_that_fails_does_not_hide_the_fault(bench):
    """What is wrong is said, though not where."""

    class Lost(FakeSource):
        @hookimpl
        def load(self):
            return Loaded(super().load().document, positions=_lost)

    lost = Lost(GOOD)
    bench.make(GOOD, source=lost, modules={"fake": FakeModule}).start()
    lost.set({"modules": [{"name": "x"}]})

    outcome = bench.runtime.reload()

    assert isinstance(outcome, Rejected)
    assert outcome.faults[0].code == "E_REQUIRED"


class Fixed:
    """A strategy that returns what a test wants."""

    def __init__(self, answer):
        self.answer = answer

    @hookimpl
    def on_change(self, change):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


WRONG_PLANS = [
    None,
    "restart",
    Plan(),
    Plan(("x",)),  # type: ignore[arg-type]  # what a wrong plugin does
    Plan((Restart("good"), Restart("good"))),
    Plan((Restart("nobody"),)),
    Plan((Start("good"),)),
    Plan((Stop("good"),)),
    Plan((Reconfigure("good"), Stop("bad"))),
    Plan((Restart("bad"),)),
    ValueError("no idea"),
    SystemExit(1),
]


@pytest.mark.parametrize("answer", WRONG_PLANS, ids=repr)
def test_a_wrong_plan_is_refused_before_anything_is_touched(bench, answer):
    """A strategy cannot forget a change, nor do what the change does not say."""
    types = {"fake": FakeModule}
    bench.run(two("fake"), modules=types, strategy=Fixed(answer))
    raw = two("fake")
    raw["modules"][0]["config"]["v"] = 2
    before, calls = bench.runtime.snapshot, list(bench.runtime.module("good").calls)

    outcome = bench.change(raw)

    assert outcome.reason == "plugin_failed"
    assert outcome.faults
    assert not outcome.transient
    assert bench.runtime.snapshot is before
    assert bench.runtime.module("good").calls == calls
    assert bench.runtime.status()["state"] == "rejected"


def test_a_verdict_written_as_text_counts():
    """`refuse` is `Verdict.REFUSE`, however it is written."""
    from midflight._plan import Verdict

    assert Plan(verdict="refuse").verdict is Verdict.REFUSE


@pytest.mark.parametrize("reason", ["freeze until Monday", ""])
def test_a_refused_plan_keeps_everything(bench, reason):
    """A strategy may say no, and its words are the fault."""
    bench.run(GOOD, modules={"fake": FakeModule}, strategy=Fixed(Plan.refuse(reason)))

    outcome = bench.change(two("fake"))

    assert isinstance(outcome, Rejected)
    assert outcome.reason == "plan_refused"
    assert outcome.faults[0].message == reason


def test_a_held_plan_waits_for_its_approval(bench):
    """Nothing is touched before somebody says so, and then just that content is."""
    bench.run(GOOD, modules={"fake": FakeModule}, strategy="hold")

    held = bench.change(two("fake"))
    again = bench.runtime.reload()
    approved = bench.runtime.approve()

    assert held.reason == again.reason == "awaiting_approval"
    assert [step.module for step in held.plan.steps] == ["bad"]
    assert isinstance(approved, Applied)
    assert bench.change(GOOD).reason == "awaiting_approval"


def test_a_plugin_may_decide_before_the_strategy(bench):
    """A `tryfirst` plugin's plan wins; `None` leaves it to the strategy."""
    plans = [None, Plan.refuse("frozen")]

    class Freeze:
        @hookimpl(tryfirst=True)
        def on_change(self, change):
            return plans.pop(0)

    bench.run(GOOD, modules={"fake": FakeModule}, plugins=[Freeze()])

    assert isinstance(bench.change(two("fake")), Applied)
    assert bench.change(GOOD).reason == "plan_refused"


def test_a_plugin_that_names_no_arguments_still_observes(bench):
    """A hookimpl takes only the arguments it names."""
    told = []

    class Observer:
        @hookimpl
        def on_outcome(self):
            told.append(1)

    bench.run(GOOD, modules={"fake": FakeModule}, plugins=[Observer()])
    bench.change(two("fake"))

    assert told == [1, 1]


def test_an_observer_that_hangs_holds_up_one_attempt(bench):
    """A stuck observer is not called again until it has come back."""
    calls = []

    class Slow:
        @hookimpl
        def on_outcome(self, outcome):
            calls.append(outcome.name)
            if len(calls) == 2:
                bench.hang()

    bench.run(GOOD, modules={"fake": FakeModule}, plugins=[Slow()])
    first = bench.change(two("fake", 2))
    second = bench.change(two("fake", 3))

    assert isinstance(first, Applied)
    assert isinstance(second, Applied)
    assert len(calls) == 2
    bench.released.set()

    def is_called_again():
        bench.change(two("fake", bench.runtime.snapshot.generation + 10))
        return len(calls) > 2

    wait_until(is_called_again, "the observer's return")


def test_a_stuck_module_is_not_called_until_it_comes_back(bench):
    """No second thread goes into a module that still hangs."""
    calls = []

    class Sticks(FakeModule):
        @hookimpl
        def prepare(self, config):
            calls.append(config["v"])
            if config["v"] == 2:
                bench.hang()

    raw = lambda v: {"modules": {"m": {"type": "sticks", "config": {"v": v}}}}  # noqa: E731  # a document
    bench.run(raw(1), modules={"sticks": Sticks})
    first = bench.change(raw(2))
    second = bench.change(raw(3))
    seen = list(calls)
    bench.released.set()

    assert first.faults[0].code == "E_TIMEOUT"
    assert second.transient
    assert "was not called" in second.faults[0].message
    assert seen == [1, 2]
    wait_until(lambda: bench.change(raw(4)).ok, "its return")


def test_a_source_that_hangs_is_a_source_that_is_down(bench):
    """A read past its deadline keeps the last good, and is not doubled."""

    class Hangs(FakeSource):
        hang = False

        @hookimpl
        def load(self):
            loaded = super().load()
            if self.hang:
                bench.hang()
            return loaded

    source = Hangs(GOOD)
    bench.make(GOOD, source=source, modules={"fake": FakeModule}).start()
    source.set(two("fake"))
    source.hang = True
    first, loads = bench.runtime.reload(), source.loads
    second = bench.runtime.reload()

    assert first.reason == second.reason == "source_unavailable"
    assert source.loads == loads
    assert bench.runtime.status()["state"] == "degraded"
    source.hang = False
    bench.released.set()
    wait_until(lambda: bench.runtime.reload().ok, "its return")
    assert bench.runtime.status()["state"] == "healthy"


# -- coroutines ----------------------------------------------------------------------


class Async:
    def __init__(self, name):
        self.config: object = None

    @hookimpl
    async def start(self, config, runtime):
        self.config = config


def one(value=1):
    """Return one module."""
    return {"modules": [{"name": "m", "type": "fake", "config": {"v": value}}]}


def test_async_hooks_run_on_the_application_loop(bench):
    """With `async with`, hooks run where the application's own tasks do."""
    loops = []

    class Notes(Async):
        @hookimpl
        async def start(self, config, runtime):
            loops.append(asyncio.get_running_loop())

    async def application():
        async with bench.make(one(), modules={"fake": Notes}) as runtime:
            assert runtime.running
            return asyncio.get_running_loop()

    loop = asyncio.run(application())

    assert loops == [loop]
    assert not bench.runtime.running


def test_async_hooks_have_a_loop_of_their_own(bench):
    """Without an application's loop there is one, on a thread that ends."""
    threads = []

    class Notes(Async):
        @hookimpl
        async def start(self, config, runtime):
            threads.append(threading.current_thread())

        @hookimpl
        async def reconfigure(self, config):
            threads.append(threading.current_thread())

    bench.run(one(), modules={"fake": Notes})
    bench.change(one(2))
    bench.runtime.stop()

    assert threads[0] is threads[1]
    assert threads[0].name == "midflight-asyncio"
    wait_until(lambda: not threads[0].is_alive(), "the end of the loop")


@pytest.mark.parametrize("error", EXITS, ids=repr)
def test_an_exit_in_a_coroutine_does_not_end_its_loop(bench, error):
    """What a coroutine raises comes to the change, never to the loop."""

    class Exits(Async):
        @hookimpl
        async def reconfigure(self, config):
            if config["v"] == 2:
                raise error
            self.config = config

    bench.run(one(), modules={"fake": Exits})

    assert bench.change(one(2)).reason == "step_failed"
    assert isinstance(bench.change(one(3)), Applied)


def test_a_probe_that_ignores_its_cancellation_stops_nothing(bench):
    """A coroutine that will not end costs its module a timeout, and no other a call."""
    over = threading.Event()

    class Deaf(Async):
        deaf = False

        @hookimpl
        async def reconfigure(self, config):
            self.config, self.deaf = config, config["v"] == 2

        @hookimpl
        async def probe(self):
            while self.deaf and not over.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.01)

    modules = {"fake": FakeModule, "deaf": Deaf}
    bench.run(two("deaf"), modules=modules, system=System(), deadline=0.2)
    outcome = bench.change(two("deaf", 2))
    values = [bench.runtime.module(name).config["v"] for name in ("good", "bad")]
    after = bench.change(two("deaf", 3))
    healthy = [bench.runtime.probe(name).healthy for name in ("good", "bad")]
    over.set()

    assert outcome.reason == "step_timeout"
    assert values == [1, 1]
    assert isinstance(after, Applied)
    assert healthy == [True, True]


def test_background_tasks_are_not_inside_the_apply(bench):
    """A task that a hook started may ask for a reload and gets a whole answer."""
    go = threading.Event()
    answers = []

    class Works(Async):
        @hookimpl
        async def start(self, config, runtime):
            async def work():
                await asyncio.to_thread(go.wait, 5)
                answers.append(await asyncio.to_thread(runtime.reload))

            self.task = asyncio.create_task(work())

    bench.run(one(), modules={"fake": Works})
    go.set()

    wait_until(lambda: answers, "the answer")
    assert answers[0].reason == "same_digest"


# -- probes on request ---------------------------------------------------------------


@pytest.mark.parametrize("error", [SystemExit(3), ValueError("no")], ids=repr)
def test_a_probe_that_raises_is_shown(bench, error):
    """Who asks for a module's health gets an answer, whatever the module does."""

    class Ill(FakeModule):
        fine = True

        @hookimpl
        def probe(self):
            if self.fine:
                return Health()
            raise error

    bench.run(one(), modules={"fake": Ill})
    bench.runtime.module("m").fine = False

    health = bench.runtime.probe("m")

    assert not health.healthy
    assert type(error).__name__ in health.detail


def test_unknown_modules_are_key_errors(bench):
    """Asking for what is not there is a mistake of the caller."""
    bench.run(one(), modules={"fake": FakeModule})

    with pytest.raises(KeyError):
        bench.runtime.module("nobody")
    with pytest.raises(KeyError):
        bench.runtime.probe("nobody")


def test_check_tells_every_fault_and_starts_nothing(bench):
    """All faults of a document at once, from one read."""
    raw = two("no-such-type") | {}
    raw["modules"].append({"name": "x", "type": "fake", "dependsOn": ["gone"]})
    runtime = bench.make(raw, modules={"fake": FakeModule})

    codes = {str(fault.code) for fault in runtime.check()}

    assert codes == {"E_MODULETYPE", "E_DEP"}
    assert not runtime.running


def test_a_missing_strategy_or_source_is_named():
    """A name that nobody has comes with the nearest that somebody has."""
    from midflight import Runtime

    with pytest.raises(PluginError, match="surgical"):
        Runtime(FakeSource(), strategy="surgicl")
    with pytest.raises(PluginError, match="did you mean `file`"):
        Runtime("fil:app.yaml")
    with pytest.raises(MidflightError, match="is no URI; write `file:app"):
        Runtime("app.yaml")


@pytest.mark.no_canaries("it plans for what nothing has transformed")
def test_plan_answers_for_any_document(bench):
    """What would be done is told without doing it."""
    from midflight import Document

    bench.run(one(), modules={"fake": FakeModule})

    plan = bench.runtime.plan(Document.from_mapping(one(2)))

    assert [(step.action, step.module) for step in plan.steps] == [("reconfigure", "m")]
    assert plan.steps[0].paths == ("modules.m.config.v",)
    assert bench.runtime.snapshot.generation == 1
    with pytest.raises(InvalidConfigurationError):
        bench.runtime.plan(
            Document.from_mapping(
                {"modules": [{"name": "a", "type": "fake", "dependsOn": ["z"]}]}
            )
        )
