"""Which layers are read, by what watch they are found, and who set a value."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from sqlalchemy.engine import make_url

from midflight import Document, Loaded, Place, Runtime, hookimpl
from midflight.errors import InvalidConfigurationError, SourceUnavailableError
from midflight.testing import FakeSource, wait_until
from midflight_plugins.composite import CompositeSource
from midflight_plugins.memory import MemorySource


class Plain:
    """A third party's source with nothing but `load`."""

    def __init__(self, raw):
        self.raw, self.loads = raw, 0

    @hookimpl
    def load(self):
        self.loads += 1
        return self.raw


def loads(sources):
    """Return how often each was read, and begin to count anew."""
    counts = [each.loads for each in sources]
    for each in sources:
        each.loads = each.hashes = 0
    return counts


def test_a_hint_reads_the_layer_it_came_from_alone(run, three, content, config_of):
    """The others are neither loaded nor asked for their token."""
    runtime = run(three, sweep=60.0)
    loads(three)
    three[1].set(content("b", 1))
    wait_until(lambda: config_of(runtime)["b"] == 1, "the change")

    assert [each.hashes for each in three] == [0, 0, 0]
    assert loads(three) == [0, 1, 0]


def test_a_sweep_reads_the_layers_whose_token_moved(run, three, content, config_of):
    """Where no hint came, tokens tell which layer is another one."""
    three[2].hints = 0
    runtime = run(three)
    loads(three)
    three[2].set(content("c", 1))
    wait_until(lambda: config_of(runtime)["c"] == 1, "the change")

    assert loads(three) == [0, 0, 1]


def test_who_insists_gets_every_layer_read(run, three):
    """A reload does not trust tokens."""
    runtime = run(three, sweep=60.0)
    loads(three)
    runtime.reload()

    assert loads(three) == [1, 1, 1]


def test_a_layer_without_a_token_is_read_at_every_look(run, content, config_of):
    """A source with nothing but `load` can be a layer too."""
    plain = Plain(content("a", 0))
    runtime = run([plain, FakeSource(content("b", 0))])
    plain.raw = content("a", 1)
    wait_until(lambda: config_of(runtime)["a"] == 1, "the change")

    assert config_of(runtime) == {"a": 1, "b": 0, "top": "b"}


def test_a_layer_that_tells_no_token_in_load_is_never_mislabelled(content):
    """Content that comes and goes between `hash` and `load` is read once more."""

    class Comes(FakeSource):
        sneaks = False

        @hookimpl
        def load(self):
            self.loads += 1
            return {"v": 2} if self.sneaks else {"v": 1}

    source = Comes()
    runtime = Runtime([source, FakeSource({})])
    source.sneaks = True
    first = runtime.read()[0]
    source.sneaks = False
    second = runtime.read()[0]

    assert (first.sections["v"], second.sections["v"]) == (2, 1)


def test_label_and_content_of_a_layer_come_from_one_read(content):
    """A token that `load` told counts, whatever `hash` said before."""

    class Moves(FakeSource):
        """Goes to and fro; at first between each `hash` and its `load`."""

        looks, at = 0, 0

        @hookimpl
        def hash(self):
            token, self.looks = str(self.at), self.looks + 1
            self.at = 1 - self.at if self.looks < 10 else self.looks % 2
            return token if self.looks < 10 else str(self.at)

        @hookimpl
        def load(self):
            return Loaded({"v": self.at}, token=str(self.at))

    runtime = Runtime([Moves(), FakeSource({})])
    seen: dict[Any, set[Any]] = {}
    for _ in range(30):
        document, loaded = runtime.read()
        seen.setdefault(loaded.token, set()).add(document.sections["v"])

    assert sorted(map(tuple, seen.values())) == [(0,), (1,)]


def test_edits_of_file_memory_and_database_reach_the_modules(run, tmp_path, config_of):
    """Each layer's own watch works through the composite, far before any sweep."""
    path = tmp_path / "base.yaml"
    path.write_text("modules: {web: {type: m, config: {file: 0}}}\n")
    memory = MemorySource({"modules": {"web": {"config": {"memory": 0}}}})
    url = f"database:{make_url('sqlite://').set(database=str(tmp_path / 'c.db'))}"
    store = Runtime(url)
    put(store, 0, None)
    layers = [f"file:{path}", {"source": url, "optional": True}, memory]
    runtime = run(layers, sweep=60.0)
    assert config_of(runtime) == {"file": 0, "db": 0, "memory": 0}

    path.write_text("modules: {web: {type: m, config: {file: 1}}}\n")
    wait_until(lambda: config_of(runtime)["file"] == 1, "the file")
    memory.set({"modules": {"web": {"config": {"memory": 1}}}})
    wait_until(lambda: config_of(runtime)["memory"] == 1, "the memory")
    put(store, 1, store.read()[1].version)
    wait_until(lambda: config_of(runtime)["db"] == 1, "the database")
    path.unlink()
    assert config_of(runtime) == {"file": 1, "db": 1, "memory": 1}


def put(store, number, base):
    """Put a number into the database."""
    raw = {"modules": {"web": {"config": {"db": number}}}}
    document = Document.from_mapping(raw)
    store.put(document, expected_version=base, author="ada", message="m")


def test_a_watch_that_cannot_be_opened_is_said_once(run, content, config_of, caplog):
    """The layer's changes are found by sweep, and the others' by their hints."""

    class Blind(FakeSource):
        @hookimpl
        def watch(self, notify):
            msg = "no more watches"
            raise OSError(msg)

    blind, fine = Blind(content("a", 0)), FakeSource(content("b", 0))
    runtime = run([{"source": blind, "name": "a"}, fine])
    blind.set(content("a", 1))
    wait_until(lambda: config_of(runtime)["a"] == 1, "the sweep")
    wait_until(lambda: blind.hashes > 5, "more sweeps")

    said = [r.getMessage() for r in caplog.records if "watch" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("layer `a`: watch could not be opened")
    assert fine.watchers == 1
    runtime.stop()
    assert fine.watchers == 0


# -- names and places --------------------------------------------------------------


def test_each_leaf_knows_its_layer_and_place(tmp_path):
    """Also inside of nested layers, in lists, and where something was removed."""
    base, prod = tmp_path / "base.yaml", tmp_path / "prod.yaml"
    base.write_text(
        "modules:\n"
        "  - name: web\n    type: m\n    config:\n      a: 1\n      b: [1]\n"
        "      gone: 1\n  - {name: old, type: m}\n"
    )
    prod.write_text(
        "modules:\n  - name: web\n    config:\n      b: [2]\n"
        "      gone: {$patch: delete}\n  - {name: old, $patch: delete}\n"
    )
    top = MemorySource({"app": {"x": 1}})
    files = [
        {"source": f"file:{base}", "name": "base"},
        {"source": f"file:{prod}", "name": "prod"},
    ]
    layers = [{"source": files, "name": "files"}, {"source": top, "name": "top"}]
    loaded: Any = Runtime(layers).read()[1]
    place, web = loaded.positions, ("modules", "web")

    assert [layer.name for layer in loaded.layers] == [
        "files/base",
        "files/prod",
        "top",
    ]
    assert place((*web, "config", "a")) == Place(str(base), 5, 10, "files/base")
    assert place((*web, "config", "b", 0)) == Place(str(prod), 4, 11, "files/prod")
    assert place((*web, "type")) == Place(str(base), 3, 11, "files/base")
    assert place(web) == Place(str(prod), 2, 5, "files/prod")
    assert place((*web, "config", "gone")).layer == "files/prod"
    assert place(("modules", "old", "type")).layer == "files/prod"
    assert place(("app", "x")) == Place("memory", layer="top")
    assert place((*web, "config", "never")).layer == "files/prod"
    assert place(("modules", "of a plugin", "config")) is None


def test_a_finder_that_raises_hides_no_place():
    """The layer is named even if it cannot say where."""

    class Odd(FakeSource):
        @hookimpl
        def load(self):
            def raises(path):
                raise ZeroDivisionError

            return attrs.evolve(super().load(), positions=raises)

    layers = [{"source": Odd({"v": 1}), "name": "odd"}, FakeSource()]
    loaded: Any = Runtime(layers).read()[1]

    assert loaded.positions(("v",)) == Place("fake", layer="odd")


def test_layers_are_called_as_their_sources_each_by_another_name():
    """A name that is given stays; of two equal ones the second is numbered."""
    source = [
        MemorySource(),
        MemorySource(),
        {"type": "memory"},
        {"source": "memory:x"},
    ]
    _, loaded = Runtime(source).read()

    names = [layer.name for layer in loaded.layers]
    assert names == ["memory", "memory#2", "memory#3", "memory:x"]


def test_version_and_author_are_those_of_the_layers(run):
    """Versions stand beside their layers; the author is that of the newest change."""

    class Told(FakeSource):
        who = "ada"

        @hookimpl
        def load(self):
            return Loaded({"v": self.who}, 7, token=self.who, author=self.who)

        @hookimpl
        def hash(self):
            return self.who

    told, plain = Told(), Plain({})
    runtime = Runtime([plain, {"source": told, "name": "db"}])
    first = runtime.read()[1]
    told.who = "grace"
    second = runtime.read()[1]

    assert (first.version, first.author) == ("db@7", "ada")
    assert second.author == "grace"
    assert Runtime([plain, plain]).read()[1].version is None


def test_the_author_of_a_change_that_had_to_wait_is_not_forgotten():
    """A change made while another layer was down is its author's all the same."""

    class Told(FakeSource):
        who = "ada"

        @hookimpl
        def load(self):
            return Loaded({"v": self.who}, token=self.who, author=self.who)

        @hookimpl
        def hash(self):
            return self.who

    told, other = Told(), FakeSource({})
    runtime = Runtime([other, told])
    runtime.read()
    other.fail(OSError("cut off"))
    told.who = "grace"
    with pytest.raises(SourceUnavailableError):
        runtime.read()
    other.restore()

    assert runtime.read()[1].author == "grace"


def test_wrappers_see_the_calls_of_each_layer(three):
    """A plugin that wraps `load` is called for the whole and for each layer."""

    class Wrapper:
        seen: tuple = ()

        @hookimpl(wrapper=True)
        def load(self, participant):
            self.seen += (participant,)
            return (yield)

    wrapper = Wrapper()
    Runtime(three, plugins=[wrapper]).read()

    assert wrapper.seen == ("source `composite`", *["source `fake`"] * 3)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "at least one layer"),
        ([{"name": "x"}], "either a `source`.* or a `type`"),
        ([{"source": "memory:", "type": "memory"}], "either a `source`"),
        ([{"source": "memory:", "optinal": True}], "did you mean `optional`"),
        ([{"source": "memory:", "timeout": 0}], "number of seconds above 0"),
        ([{"source": "memory:", "timeout": True}], "number of seconds above 0"),
        ([{"source": "memory:", "name": "a\n"}], "printable"),
        ([{"source": "memory:", "name": "a"}] * 2, "two layers are called `a`"),
    ],
)
def test_layers_that_make_no_sense_are_refused(layers, message):
    """What is wrong with how layers are given is said when the composite is made."""
    with pytest.raises(ValueError, match=message):
        CompositeSource(layers)


def test_a_composite_says_how_it_is_made():
    """There is no URI of layers, and no third way to merge."""
    with pytest.raises(ValueError, match="give several sources"):
        CompositeSource.from_uri("a,b")
    with pytest.raises(ValueError, match="`merge` is `deep` or `replace`"):
        CompositeSource(["memory:"], merge="shallow")
    with pytest.raises(TypeError, match="`layers` is a list"):
        CompositeSource("memory:")
    with pytest.raises(TypeError, match="`optional` of layer `a`"):
        CompositeSource([{"source": "memory:", "name": "a", "optional": "yes"}])


def test_a_layer_that_cannot_be_made_is_down():
    """A plugin that is missing keeps a required layer away, not an optional one."""
    with pytest.raises(SourceUnavailableError, match="layer `nowhere` is down"):
        Runtime(["memory:", "nowhere:x"]).read()
    _, loaded = Runtime(["memory:", {"source": "nowhere:x", "optional": True}]).read()

    assert "nowhere" in loaded.layers[1].error


@pytest.mark.parametrize("new", [{"n": 1}, [1], 5])
def test_what_an_inner_layer_removes_and_another_sets_anew_starts_anew(new):
    """A removal counts below the inner composite, whatever was set after it there."""
    lower = MemorySource({"app": {"a": {"old": 1}}})
    gone = MemorySource({"app": {"a": {"$patch": "delete"}}})
    document, _ = Runtime([lower, [gone, MemorySource({"app": {"a": new}})]]).read()

    wanted = Document.from_mapping({"app": {"a": new}})
    assert document == wanted


def test_nested_layers_remove_and_conflict_across_their_borders():
    """What an inner layer removes is removed below the inner composite."""
    lower = MemorySource({"app": {"a": 1, "b": {"c": 1}}})
    inner = [MemorySource({"app": {"a": {"$patch": "delete"}}}), MemorySource({"x": 1})]
    document, _ = Runtime([lower, inner]).read()
    clash = [MemorySource({"app": {"b": [1]}}), MemorySource({})]
    with pytest.raises(
        InvalidConfigurationError, match="a list in layer `in`"
    ) as caught:
        Runtime([lower, {"source": clash, "name": "in"}]).read()

    assert document.as_mapping() == {"modules": [], "app": {"b": {"c": 1}}, "x": 1}
    assert str(caught.value.faults[0].place) == "memory (in/memory)"
