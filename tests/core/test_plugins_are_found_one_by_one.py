from __future__ import annotations

import sys
import types
from importlib.metadata import Distribution, EntryPoint, EntryPoints
from typing import Any

import attrs
import pytest

from midflight import Document, PluginRegistry, Runtime, hookimpl
from midflight._driver import drive_here
from midflight.errors import DuplicatePluginError, PluginApiError, PluginError
from midflight.testing import FakeModule, FakeSource

MODULES = "midflight.modules"
OURS = "midflight_plugins.strategies:Surgical"


class Shipped(Distribution):
    """A distribution that is only a name, and what it requires."""

    def __init__(self, name, requires=()):
        self._name, self._requires = name, [*requires]

    @property
    def requires(self):
        return self._requires

    @property
    def metadata(self):
        return {"Name": self._name, "Version": "1.2"}

    @property
    def name(self):
        return self._name

    @property
    def version(self):
        return "1.2"

    def read_text(self, filename):
        return None

    def locate_file(self, path):
        raise NotImplementedError


def owned(point: Any, dist: str, *requires: str) -> EntryPoint:
    """Return an entry point that says which distribution it is of."""
    of_dist: EntryPoint = point._for(Shipped(dist, requires))
    return of_dist


def registry(*points):
    """Return a registry of (distribution, group, name, target)."""
    found = [
        owned(EntryPoint(name, target, group), dist)
        for dist, group, name, target in points
    ]
    strategy = EntryPoint("surgical", OURS, "midflight.strategies")
    return PluginRegistry(EntryPoints([*found, owned(strategy, "midflight")]))


def states(found, name):
    """Return the state of each entry of a name, by distribution."""
    return {e.distribution: e.state for e in found.entries() if e.name == name}


@pytest.fixture
def exits(tmp_path, monkeypatch):
    """Put a module on the path that ends the interpreter when imported."""
    (tmp_path / "exits_at_import.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "counts_imports.py").write_text("class Thing: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("counts_imports", None)


@pytest.mark.parametrize("target", ["no.such:X", "json:nothing", "exits_at_import:X"])
def test_one_broken_plugin_stops_no_other(exits, target):
    """A failed import is remembered with its reason; the others are to be had."""
    found = registry(
        ("bad-dist", MODULES, "bad", target),
        *(
            ("good-dist", MODULES, f"good{at}", "counts_imports:Thing")
            for at in range(9)
        ),
    )

    with pytest.raises(PluginError, match="bad-dist"):
        found.load("module", "bad")

    assert states(found, "bad") == {"bad-dist": "failed"}
    for at in range(9):
        assert found.load("module", f"good{at}").__name__ == "Thing"
    with pytest.raises(PluginError, match="cannot be used"):
        found.load("module", "bad")


def test_nothing_is_imported_until_it_is_named(exits):
    """Listing plugins costs no import of theirs."""
    found = registry(("dist", MODULES, "thing", "counts_imports:Thing"))

    listed = [(e.role, e.name, e.distribution, e.version) for e in found.entries()]
    assert ("module", "thing", "dist", "1.2") in listed
    assert "counts_imports" not in sys.modules

    found.load("module", "thing")
    assert "counts_imports" in sys.modules
    assert states(found, "thing") == {"dist": "loaded"}


@pytest.mark.parametrize("count", [2, 3])
def test_a_name_that_two_distributions_claim_is_nobodys(exits, count):
    """Nobody wins by the order of installation; each claimant is named."""
    claims = [
        (f"dist-{at}", MODULES, "thing", "counts_imports:Thing") for at in range(count)
    ]
    found = registry(*claims)

    with pytest.raises(DuplicatePluginError) as caught:
        found.load("module", "thing")

    assert "dist-0" in str(caught.value)
    assert "dist-1" in str(caught.value)
    assert set(states(found, "thing").values()) == {"conflict"}
    assert len(states(found, "thing")) == count
    assert "counts_imports" not in sys.modules


def test_a_plugin_for_another_version_is_not_imported(exits):
    """What its distribution requires is compared first; wanted and got are told."""
    point = EntryPoint("thing", "counts_imports:Thing", MODULES)
    found = PluginRegistry(EntryPoints([owned(point, "old", "attrs", "midflight<0.1")]))

    with pytest.raises(
        PluginApiError, match=r"for midflight <0\.1, and this is"
    ) as told:
        found.load("module", "thing")

    assert told.value.code == "E_PLUGIN_API"
    assert states(found, "thing") == {"old": "incompatible"}
    assert "counts_imports" not in sys.modules


def test_who_is_kept_away_takes_part_in_no_dispute(exits):
    """A name is a rival's as soon as one of two is blocked."""
    claims = [(name, MODULES, "thing", "counts_imports:Thing") for name in ("b", "a")]
    found = registry(*claims)
    without = found.without(["no:b", "attrs", object()])

    assert [e.reason for e in found.entries()][:2] == ["a and b claim the name"] * 2
    assert without.load("module", "thing").__name__ == "Thing"
    assert states(without, "thing") == {"a": "loaded", "b": "blocked"}
    assert without.without(["no:b"]) is without
    assert found.without(["b"]) is found


@pytest.mark.parametrize("ours_first", [True, False])
def test_our_own_names_are_reserved(exits, ours_first):
    """Nobody takes the place of a first-party plugin."""
    claims = [
        ("midflight", MODULES, "thing", "counts_imports:Thing"),
        ("intruder", MODULES, "thing", "exits_at_import:X"),
    ]
    found = registry(*(claims if ours_first else claims[::-1]))

    assert found.load("module", "thing").__name__ == "Thing"
    assert states(found, "thing")["intruder"] == "reserved"


def test_one_name_may_stand_in_several_roles(exits):
    """Roles do not share their names."""
    found = registry(
        ("one", MODULES, "thing", "counts_imports:Thing"),
        ("two", "midflight.sources", "thing", "counts_imports:Thing"),
    )

    assert found.load("module", "thing") is found.load("source", "thing")


def test_a_misspelt_name_gets_the_nearest(exits):
    """Who asks for what is not there learns what is."""
    found = registry(("one", MODULES, "limiter", "counts_imports:Thing"))

    with pytest.raises(PluginError, match="did you mean `limiter`"):
        found.load("module", "limitor")


def test_a_foreign_plugin_is_loaded_only_if_it_is_named(exits, caplog):
    """Being installed is not being allowed."""
    found = registry(("one", "midflight.plugins", "meddler", "exits_at_import:X"))

    Runtime(FakeSource(), registry=found)
    assert caplog.messages == []

    Runtime(FakeSource(), registry=found, plugins=["meddler"])
    assert "meddler" in caplog.text
    with pytest.raises(PluginError, match="nobody"):
        Runtime(FakeSource(), registry=found, plugins=["nobody"])


# -- participants --------------------------------------------------------------------


def refused(bench, kind):
    """Return why a module class is refused."""
    bench.run({}, modules={"kind": kind})
    outcome = bench.change({"modules": {"m": {"type": "kind"}}})
    assert not outcome.ok
    return str(outcome.faults[0])


class Misspelt:
    def __init__(self, name):
        pass

    @hookimpl
    def start(self):
        pass


def with_hook(name, function, **options):
    """Return a module class with one more hook."""
    return type("Extra", (Misspelt,), {name: hookimpl(function, **options)})


@pytest.mark.parametrize(
    ("name", "function", "said"),
    [
        ("reconfigur", lambda self: None, "did you mean `reconfigure`?"),
        ("reconfigure", lambda self, cfg: None, "no argument `cfg`"),
        ("reconfigure", lambda self, previus: None, "did you mean `previous`?"),
        ("load", lambda self: {}, "a module has no hook `load`"),
        ("on_outcome", lambda self: None, "a module has no hook `on_outcome`"),
    ],
)
def test_a_hook_that_does_not_fit_is_refused(bench, name, function, said):
    """A misspelt hook or argument is told when the object is made, not ignored."""
    assert said in refused(bench, with_hook(name, function))


def test_a_module_without_start_is_refused(bench):
    """The one hook that a module needs is named."""

    class Bare:
        def __init__(self, name):
            pass

        def start(self):
            pass

    assert "needs the hook `start`" in refused(bench, Bare)


def test_a_participant_cannot_wrap(bench):
    """Wrapping calls is for registered plugins."""

    def stop(self):
        yield

    kind = with_hook("stop", stop, wrapper=True)
    assert "a module has no hook `stop`" in refused(bench, kind)


def test_a_property_of_a_participant_is_not_run(bench):
    """Looking for hooks has no side effect."""

    class Shy(FakeModule):
        @property
        def secret(self):
            raise AssertionError("it was looked at")

    bench.run({}, modules={"shy": Shy})

    assert bench.change({"modules": {"m": {"type": "shy"}}}).ok


def test_a_class_is_looked_through_once(bench):
    """A start of many modules does not search each object for its hooks."""
    searched = []

    class Counted(type):
        def __dir__(cls):
            searched.append(cls)
            return super().__dir__()

    class Kind(FakeModule, metaclass=Counted):
        pass

    bench.run({}, modules={"kind": Kind})
    searched.clear()

    assert bench.change({"modules": {name: {"type": "kind"} for name in "abc"}}).ok
    assert searched == [Kind]


def note(module, value):
    """Keep what a hook of a module was given."""
    module.noted = value


def equip(module):
    """Give one object a hook of its own, and one in the place of its class's."""
    module.start = hookimpl(lambda document: note(module, len(document.modules)))
    module.stop = hookimpl(lambda: None)


class Own:
    """An object of that name has hooks of its own."""

    def __init__(self, name):
        if name == "own":
            equip(self)

    @hookimpl
    def start(self, config):
        note(self, config["v"])


class Slotted:
    """As `Own`, without a dictionary."""

    __slots__ = ("noted", "start", "stop")

    def __init__(self, name):
        self.start = hookimpl(lambda config: note(self, config["v"]))
        if name == "own":
            equip(self)


@pytest.mark.parametrize("kind", [Own, Slotted])
def test_an_object_may_have_hooks_of_its_own(bench, kind):
    """What one object has is not taken for what its class has, nor left out."""
    names = ["first", "own", "last"]
    entries = {name: {"type": "kind", "config": {"v": 1}} for name in names}

    runtime = bench.run({"modules": entries}, modules={"kind": kind})
    stops = {n: m.participant.has("stop") for n, m in runtime.snapshot.running.items()}

    assert [runtime.module(name).noted for name in names] == [1, 3, 1]
    assert [stops[name] for name in names] == [False, True, False]


def test_modules_of_functions_are_told_apart(bench):
    """A Python module may be a source, another one a strategy."""
    source: Any = types.ModuleType("source")
    strategy: Any = types.ModuleType("strategy")
    source.load = hookimpl(lambda: {"s": 1})
    strategy.on_change = hookimpl(lambda change: None)

    runtime = bench.run(None, source=source, strategy=strategy)

    assert runtime.snapshot.document.sections == {"s": 1}


def test_a_class_may_take_part_as_it_is(bench):
    """Its static and class methods are hooks, those that it inherits too."""

    class Base:
        @staticmethod
        @hookimpl
        def load():
            return {"s": 1}

    class Whole(Base):
        @classmethod
        @hookimpl
        def hash(cls):
            return cls.__name__

    runtime = bench.run(None, source=Whole)

    assert runtime.snapshot.document.sections == {"s": 1}
    assert runtime._reloader.attempts.source.invoke("hash") == "Whole"


def test_a_type_says_how_its_objects_are_replaced(bench):
    """`overlap` is a yes or no; a `deadline` of 0 is one, and none is `None`."""

    class Quick(FakeModule):
        deadline, overlap = 0, 1

    engine = bench.make({}, modules={"quick": Quick, "fake": FakeModule})._engine
    document = Document.from_mapping({"modules": {"m": {"type": "quick"}}})
    quick, fake = engine.kinds["quick"], engine.kinds["fake"]

    assert (quick.deadline, quick.overlap) == (0, True)
    assert (fake.deadline, fake.overlap) == (None, False)
    assert drive_here(engine.made(document.modules["m"], quick)).deadline == 0


def test_a_source_that_takes_no_uri_says_so():
    """What its class has to have is named, with the code of such faults."""
    found = registry(("other", "midflight.sources", "x", "builtins:object"))

    with pytest.raises(PluginApiError, match="no classmethod `from_uri") as raised:
        Runtime("x:rest", registry=found)

    assert raised.value.code == "E_PLUGIN_API"


def test_a_registered_plugin_may_wrap_any_call(bench):
    """Plugins see the calls of participants, their arguments and what they raise."""
    seen: list[object] = []

    class Watches:
        @hookimpl(wrapper=True)
        def reconfigure(self, config, previous):
            seen.append((dict(previous), dict(config)))
            return (yield)

        @hookimpl(wrapper=True)
        def load(self):
            seen.append("load")
            return (yield)

    raw = lambda v: {"modules": {"m": {"type": "fake", "config": {"v": v}}}}  # noqa: E731  # a document
    bench.run(raw(1), modules={"fake": FakeModule}, plugins=[Watches()])
    bench.change(raw(2))

    assert seen == ["load", "load", ({"v": 1}, {"v": 2})]
    assert bench.runtime.module("m").config == {"v": 2}


def test_a_wrapper_that_raises_takes_the_change_back(bench):
    """A fault of a wrapper is a fault of the step it wraps."""

    class Forbids:
        @hookimpl(wrapper=True)
        def reconfigure(self, config):
            yield
            if config["v"] == 2:
                raise SystemExit(1)

    bench.run(bench.document(1), plugins=[Forbids()])

    assert bench.change(bench.document(2)).reason == "step_failed"
    assert bench.values()["m1"] == {"v": 1}


class Plain:
    @hookimpl
    def start(self):
        pass


class Unknown:
    @hookimpl
    def on_outcom(self):
        pass


class Wrong:
    @hookimpl
    def on_outcome(self, result):
        pass


class Coroutine:
    @hookimpl
    async def on_outcome(self):
        pass


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (Plain, "may only wrap `start`"),
        (Unknown, "did you mean `on_outcome`"),
        (Wrong, "no argument `result`"),
        (Coroutine, "`on_outcome` is async"),
    ],
)
def test_a_plugin_that_does_not_fit_is_refused(plugin, said):
    """What a cross-cutting plugin may not do is told when it is registered."""
    with pytest.raises(PluginApiError, match=said):
        Runtime(FakeSource(), plugins=[plugin()])


def test_a_plugin_need_not_be_hashable(bench):
    """A plugin may be any object, an attrs instance with values to compare too."""
    told = []

    @attrs.define
    class Comparable:
        level: int = 1

        @hookimpl
        def on_outcome(self):
            told.append(self.level)

    bench.run({}, plugins=[Comparable(1), Comparable(2)])

    assert sorted(told) == [1, 2]


def test_a_name_that_is_given_twice_is_one_plugin(caplog):
    """Naming a plugin of ours again does no harm."""
    Runtime(FakeSource(), plugins=["attrs", "attrs"])

    assert caplog.messages == []
