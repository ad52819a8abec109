"""What plugins beside sources, modules and strategies may do with a runtime."""

from __future__ import annotations

import contextlib
from typing import Any

import attrs
import pytest

from midflight import Document, Loaded, Place, Runtime, hookimpl
from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    PluginApiError,
    PluginError,
    SourceUnavailableError,
)
from midflight.hookspecs import Layer
from midflight.testing import FakeModule, FakeSource, wait_until

GOOD = {"modules": [{"name": "m1", "type": "plain", "config": {"v": 1}}]}


class Keeper:
    """Keeps something going, and notes the order of things."""

    def __init__(self, log, name="keeper"):
        self.log, self.__name__ = log, name

    @hookimpl
    def lifespan(self, runtime):
        @contextlib.contextmanager
        def going():
            self.log.append(f"{self.__name__} begins")
            yield
            self.log.append(f"{self.__name__} ends")

        return going()

    @hookimpl
    def on_apply(self, plan, document, runtime):
        steps = [(step.action, step.module) for step in plan.steps]
        self.log.append((steps, document.modules["m1"].config["v"], runtime.running))

    @hookimpl
    def on_outcome(self, outcome):
        self.log.append(str(outcome.reason))


class LastGood:
    """Remembers one document."""

    def __init__(self, raw):
        self.raw, self.asked = raw, []

    @hookimpl
    def recall(self, outcome):
        self.asked.append(str(outcome.reason))
        return self.raw and Loaded(self.raw, version=7)


class Rotating:
    """A transform that reads something beside the document."""

    def __init__(self):
        self.value = "one"

    @hookimpl
    def inputs(self):
        return self.value

    @hookimpl(wrapper=True)
    def transform(self, document):
        document = yield
        entry = document.modules["m1"]
        config = {**entry.config, "read": self.value}
        raw = {"modules": [{"name": "m1", "type": entry.type, "config": config}]}
        return Document.from_mapping(raw)


def test_a_lifespan_holds_from_before_the_first_look_to_after_the_last_stop(bench):
    """What a plugin keeps going is there before any module, and ends after all."""
    log: list[Any] = []
    runtime = bench.run(GOOD, plugins=[Keeper(log, "a"), Keeper(log, "b")])
    started = list(log)
    log.clear()
    runtime.stop()

    step = ([("start", "m1")], 1, True)
    assert {*started[:2]} == {"a begins", "b begins"}
    assert started[2:] == [step, step, "started", "started"]
    assert bench.log[-1][0] == "stop"
    first, second = (text.split()[0] for text in started[:2])
    assert log == [f"{second} ends", f"{first} ends"]


def test_a_broken_lifespan_stops_nothing(bench, caplog):
    """A plugin that cannot begin or end hurts neither the others nor the runtime."""

    class Broken:
        @hookimpl
        def lifespan(self):
            raise OSError("no disk")

    class BrokenEnd:
        @hookimpl
        def lifespan(self):
            @contextlib.contextmanager
            def going():
                yield
                raise OSError("gone")

            return going()

    log: list[Any] = []
    runtime = bench.run(GOOD, plugins=[Broken(), BrokenEnd(), Keeper(log)])
    runtime.stop()

    assert log[0] == "keeper begins"
    assert log[-1] == "keeper ends"
    assert "no disk" in caplog.text
    assert "gone" in caplog.text


@pytest.mark.parametrize("hook", ["lifespan", "on_apply", "on_outcome"])
def test_what_is_called_by_itself_cannot_be_wrapped(bench, hook):
    """A wrapper of an observer would never run: it is refused."""

    class Wrapping:
        pass

    def wrapping(self):
        yield

    setattr(Wrapping, hook, hookimpl(wrapper=True)(wrapping))

    with pytest.raises(PluginApiError, match=f"cannot wrap `{hook}`"):
        bench.make(GOOD, plugins=[Wrapping()])


def test_a_change_is_announced_before_it_is_made(bench):
    """`on_apply` comes before the first `prepare`, once for each attempt to apply."""
    log: list[Any] = []
    bench.run(GOOD, plugins=[Keeper(log)])
    log.clear()
    bench.script("m1", "prepare", lambda *_: log.append("prepare"))
    bench.change(bench.document(2, ("m1",)))
    bench.change(bench.document(2, ("m1",), note="1"))

    assert log[0][:2] == ([("reconfigure", "m1")], 2)
    assert log[1:3] == ["prepare", "changed"]


@pytest.mark.no_canaries("a reference is one more load")
def test_what_a_transform_reads_is_a_change_without_one_of_the_source(bench):
    """A token of the plugin's inputs that differs brings a look at equal content."""
    rotating = Rotating()
    runtime = bench.run(GOOD, plugins=[rotating], watch=True)
    bench.elapse(6)  # a first sweep proves the token
    loads = bench.source.loads
    bench.elapse(12)
    same = runtime.snapshot.generation, bench.source.loads - loads
    rotating.value = "two"
    runtime.hint()
    outcome = runtime.reload()

    assert same == (1, 0)
    assert outcome.ok
    assert runtime.snapshot.document.modules["m1"].config["read"] == "two"


def test_a_sweep_finds_what_a_transform_reads(bench):
    """No hint is needed: the sweep compares the inputs too."""
    rotating = Rotating()
    runtime = bench.run(GOOD, plugins=[rotating], watch=True)
    rotating.value = "two"
    bench.system.advance(6)
    wait_until(lambda: runtime.snapshot.generation == 2, "the second generation")

    assert runtime.snapshot.document.modules["m1"].config["read"] == "two"


def test_without_a_source_the_last_good_runs_and_says_so(bench):
    """A start with the source down is a start on what ran before, degraded."""
    kept = LastGood(GOOD)
    runtime = bench.make(GOOD, plugins=[kept], watch=True)
    bench.source.fail(SourceUnavailableError("down"))
    outcome = runtime.start()
    status = runtime.status()

    assert (outcome.name, outcome.reason) == ("applied", "recalled")
    assert kept.asked == ["source_unavailable"]
    assert (status["state"], status["generation"]) == ("degraded", 1)
    assert "down" in status["sources"][0]["error"]
    assert runtime.snapshot.version == 7
    assert bench.value() == 1

    bench.source.set(bench.document(3, ("m1",)))
    bench.elapse(2)
    wait_until(lambda: bench.value() == 3, "the source's own document")

    assert runtime.status()["state"] == "healthy"


def test_with_a_bad_document_the_last_good_runs(bench):
    """Content that is refused at the first start leaves the last good in force."""
    bad = {"modules": [{"name": "m1", "type": "nowhere"}]}
    runtime = bench.make(bad, plugins=[LastGood(GOOD)])
    outcome = runtime.start()

    assert outcome.reason == "recalled"
    assert runtime.status()["state"] == "rejected"
    assert "E_MODULETYPE" in str(runtime.status()["rejected"]["faults"])
    assert bench.change(GOOD).ok
    assert runtime.status()["state"] == "healthy"


def test_a_first_document_that_does_not_start_gives_way_to_the_last_good(bench):
    """A module that fails in the first start is not there in the second."""

    def fail(*_):
        raise RuntimeError("no")

    bench.script("m1", "start", fail, 2)
    runtime = bench.make(bench.document(2, ("m1",)), plugins=[LastGood(GOOD)])
    outcome = runtime.start()

    assert outcome.reason == "recalled"
    assert bench.value() == 1
    assert runtime.status()["rejected"]["reason"] == "step_failed"


@pytest.mark.parametrize("kept", [None, {"modules": [{"name": "m1", "type": "x"}]}, 5])
def test_without_a_good_last_one_the_start_fails_as_before(bench, kept):
    """Nothing kept, or nothing of use, leaves the error of the source."""
    runtime = bench.make(GOOD, plugins=[LastGood(kept)])
    bench.source.fail(SourceUnavailableError("down"))

    with pytest.raises(SourceUnavailableError, match="down"):
        runtime.start()
    assert not runtime.running


def test_a_start_that_succeeds_recalls_nothing(bench):
    """The last good is asked for only when it is needed."""
    kept = LastGood(GOOD)
    bench.run(GOOD, plugins=[kept])
    bench.source.fail(SourceUnavailableError("down"))
    bench.runtime.reload()

    assert kept.asked == []


# -- sources made of others ----------------------------------------------------------


@attrs.define(eq=False)
class Two:
    """A source of two others: the first that can be read."""

    specs: list
    down: str = ""
    parts: list = attrs.field(factory=list)

    @hookimpl
    def load(self, runtime):
        if not self.parts:
            self.parts = [
                runtime.source(spec, f"part{n}") for n, spec in enumerate(self.specs)
            ]
        found = self.parts[0].invoke("load")
        rows = [Layer("low", "memory", 3, error=self.down, since=5.0), Layer("high")]
        return attrs.evolve(found, layers=tuple(rows), author="ann", token=None)


def test_a_source_makes_others_of_uris_mappings_and_objects(bench):
    """A part is made as a source is, and is named by the one that it is a part of."""
    source = Two(["memory:{}", {"type": "memory", "content": GOOD}, FakeSource(GOOD)])
    runtime = Runtime(source, modules=bench.types())
    with runtime:
        labels = [part.label for part in source.parts]

        assert labels == ["source `part0`", "source `part1`", "source `part2`"]
        assert [part.has("put") for part in source.parts] == [True, True, False]
        assert source.parts[1].invoke("load").document == GOOD
        with pytest.raises(PluginError, match="no source is called `nowhere`"):
            runtime.source({"type": "nowhere"})


@pytest.mark.parametrize("deep", [1, 2, 3])
def test_a_list_of_one_is_what_it_holds(deep):
    """However deep it stands, so that who builds lists need not look into them."""
    layers: list[Any] = [FakeSource({"a": 1}), FakeSource({"b": 2})]
    for _ in range(deep):
        layers = [layers]
    document, _ = Runtime(layers).read()

    assert document.sections == {"a": 1, "b": 2}


def test_the_status_shows_each_layer(bench):
    """A part that is down is named, and the whole is degraded until it is back."""
    source = Two([{"type": "memory", "content": GOOD}])
    with Runtime(source, modules=bench.types()) as runtime:
        healthy = runtime.status()["state"]
        source.down = "no route"
        runtime.reload()
        down = runtime.status()
        source.down = ""
        runtime.reload()

        assert healthy == "healthy"
        assert (down["state"], down["generation"]) == ("degraded", 1)
        assert down["sources"][1] == {
            "name": "low",
            "source": "memory",
            "version": 3,
            "optional": False,
            "error": "no route",
            "since": 5.0,
        }
        assert [row["name"] for row in down["sources"][1:]] == ["low", "high"]
        assert runtime.status()["state"] == "healthy"
        assert getattr(runtime.snapshot.loaded, "author", "") == "ann"


def test_a_type_is_needed_in_the_whole_not_in_each_layer():
    """An entry may leave its type to another layer; what runs may not."""
    partial = {"modules": [{"name": "m1", "config": {"v": 1}}]}
    document = Document.from_mapping(partial)
    with pytest.raises(InvalidConfigurationError) as caught:
        Runtime(FakeSource(partial)).start()

    assert document.modules["m1"].type == ""
    assert document.as_mapping() == partial
    [fault] = caught.value.faults
    assert (fault.code, fault.path) == (Code.E_REQUIRED, ("modules", "m1"))


# -- what outcomes and the status say ------------------------------------------------


def test_an_outcome_says_who_asked_from_where_and_how_long_each_took(bench):
    """Actor, base and the seconds of each module stand in the outcome."""
    runtime = bench.run(bench.document(1, ("m1", "m2")))
    base = runtime.snapshot.digest
    bench.script("m2", "reconfigure", lambda *_: bench.system.advance(0.25), 2)
    bench.source.set(bench.document(2, ("m1", "m2")))
    outcome = runtime.reload(actor="ann")

    assert (outcome.actor, outcome.base) == ("ann", base)
    assert set(outcome.took) == {"m1", "m2"}
    assert outcome.took["m2"] >= 0.25 > outcome.took["m1"]


def test_the_first_outcome_has_no_base(bench):
    """Before the first generation nothing was in force."""
    runtime = bench.make(GOOD)

    assert runtime.start().base == ""


def test_plugins_leave_notes_for_the_status(bench, tmp_path):
    """A note of a plugin stands in the status; a state directory is only kept."""
    runtime = bench.run(GOOD, state_dir=str(tmp_path))
    runtime.notes["state"] = "disk full"

    assert runtime.status()["notes"]["state"] == "disk full"
    assert runtime.state_dir == tmp_path


def test_a_snapshot_keeps_what_was_read_before_any_transform(bench):
    """References stay references in what was loaded, whatever is in force."""
    runtime = bench.run(GOOD, plugins=[Rotating()])

    assert "read" in runtime.snapshot.document.modules["m1"].config
    assert dict(runtime.snapshot.loaded.document.modules["m1"].config) == {"v": 1}


@attrs.define
class Settings:
    v: int


class Typed(FakeModule):
    Config = Settings


def test_a_type_tells_its_schema():
    """The JSON Schema of what a type takes; `None` if the type does not say."""
    runtime = Runtime(FakeSource(), modules={"typed": Typed, "free": FakeModule})

    assert "integer" in str(runtime.schema("typed"))
    assert runtime.schema("free") is None
    with pytest.raises(PluginError, match="no module is called `typo`"):
        runtime.schema("typo")


def test_a_place_names_its_layer():
    """A fault of a layer's value says which layer it is."""
    fault = Fault(Code.E_TYPE, "no", place=Place("app.yaml", 3, 5, "base"))

    assert str(fault).startswith("app.yaml:3:5 (base): E_TYPE")


def test_a_fault_that_a_transform_finds_has_its_place():
    """Who reads the source learns where the value stands that a plugin refuses."""

    class Refuses:
        @hookimpl(wrapper=True)
        def transform(self, document):
            yield
            raise InvalidConfigurationError(Fault(Code.E_VALUE, "no", ("limits",)))

    class Places:
        @hookimpl
        def load(self):
            return Loaded({"limits": 1}, positions=lambda path: Place(str(path[0]), 7))

    runtime = Runtime(Places(), plugins=[Refuses()])
    with pytest.raises(InvalidConfigurationError) as raised:
        runtime.read()

    assert [fault.place for fault in raised.value.faults] == [Place("limits", 7)]
    assert runtime.check() == raised.value.faults
