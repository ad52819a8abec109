from __future__ import annotations

import copy
import datetime
import hashlib
import json
import pickle
import subprocess
import sys
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midflight import (
    Applied,
    Diff,
    Document,
    Fault,
    Loaded,
    ModuleConfig,
    Place,
    Runtime,
    hookimpl,
)
from midflight._values import FrozenDict
from midflight.errors import Code, InvalidConfigurationError, dotted, shown
from midflight.testing import FakeSource

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    st.dates(),
    st.datetimes(),
)
KEYS = st.text("abcdef-_.", min_size=1, max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(["a", "b", "c", "d"])
ENTRIES = st.fixed_dictionaries(
    {"type": st.sampled_from(["x", "y"]), "config": st.dictionaries(KEYS, VALUES)},
    optional={"labels": VALUES, "dependsOn": st.lists(st.just("a"), max_size=1)},
)
DOCUMENTS = st.builds(
    lambda modules, rest: Document.from_mapping({"modules": modules, **rest}),
    st.dictionaries(NAMES, ENTRIES),
    st.dictionaries(st.sampled_from(["s", "t", "u"]), VALUES),
)


def faults_of(raw):
    """Return what is wrong with a mapping, as code and dotted path."""
    with pytest.raises(InvalidConfigurationError) as caught:
        _ = Document.from_mapping(raw).build_order
    return [(str(fault.code), dotted(fault.path)) for fault in caught.value.faults]


# -- values and digests --------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        (1, "1"),
        (None, ""),
        (None, "null"),
        ([], {}),
        ([1, 2], [2, 1]),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.time(1, 2), "01:02:00"),
        (0.0, -0.0),
    ],
)
def test_values_of_another_type_are_another_document(one, other):
    """A digest is of typed values: what Python calls equal may differ."""
    first, second = (Document.from_mapping({"x": value}) for value in (one, other))

    assert first.digest != second.digest
    assert first != second
    assert Diff.between(first, second).sections == ("x",)


def test_the_order_of_keys_does_not_count():
    """Two files with the same keys in another order are one document."""
    one = {"modules": {"a": {"type": "x", "config": {"p": 1, "q": 2}}}, "s": 1, "t": 2}
    other = {
        "t": 2,
        "s": 1,
        "modules": {"a": {"config": {"q": 2, "p": 1}, "type": "x"}},
    }

    assert Document.from_mapping(one) == Document.from_mapping(other)
    assert hash(Document.from_mapping(one)) == hash(Document.from_mapping(other))


@given(DOCUMENTS)
def test_a_digest_is_that_of_one_form(document):
    """Digests are stored beside versions: the form behind them stays as it is."""

    def form(moment):
        return ["\ud800" + type(moment).__name__, moment.isoformat()]

    for module in document.modules.values():
        parts = [module.type, module.config, module.depends_on, module.extra]
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=form)

        assert module.digest == hashlib.sha256(text.encode()).hexdigest()


def test_a_python_without_an_encoder_of_c_digests_alike():
    """The form does not depend on what of `json` is written in C."""
    text = (
        "import json.encoder; json.encoder.c_make_encoder = None\n"
        "from midflight import Document\n"
        "raw = {'modules': {'a': {'type': 'x', 'config': {'b': [1.5, 'é']}}}}\n"
        "print(Document.from_mapping(raw).digest)"
    )
    found = subprocess.run(
        [sys.executable, "-Ic", text], check=True, text=True, capture_output=True
    )
    raw = {"modules": {"a": {"type": "x", "config": {"b": [1.5, "é"]}}}}

    assert found.stdout.strip() == Document.from_mapping(raw).digest


@given(DOCUMENTS)
def test_a_document_survives_a_round_trip(document):
    """What is written out and read again has the same digest."""
    assert Document.from_mapping(document.as_mapping()).digest == document.digest


@pytest.mark.parametrize(
    ("word", "nothing", "like"),
    [
        ("dependsOn", [], "depends_on"),
        ("dependsOn", None, "dependson"),
        ("type", "", "types"),
        ("config", None, "configs"),
    ],
)
def test_a_key_like_a_word_without_a_value_is_misspelt(word, nothing, like):
    """Such a word is not written out: reading that again would refuse the key."""
    entry = {"type": "x", word: nothing, like: ["b"]}

    assert faults_of({"modules": {"a": entry, "b": {"type": "x"}}}) == [
        ("E_UNKNOWN", f"modules.a.{like}")
    ]


@given(DOCUMENTS)
def test_a_document_survives_pickle_and_copy(document):
    """Copies are equal, and as frozen as what they were made of."""
    for other in (pickle.loads(pickle.dumps(document)), copy.deepcopy(document)):
        assert other == document
        with pytest.raises(TypeError, match="immutable"):
            other.sections["new"] = 1


def test_frozen_values_are_plain_for_json():
    """Frozen mappings and lists are written like any others."""
    document = Document.from_mapping({"s": {"a": [1, {"b": None}]}})

    assert json.dumps(document.sections["s"]) == '{"a": [1, {"b": null}]}'


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.update(a=2),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.setdefault("b", 1),
        lambda d: d.__setitem__("a", 2),
        lambda d: d.__delitem__("a"),
        lambda d: d.__ior__({"b": 1}),
    ],
)
def test_a_frozen_mapping_refuses_every_edit(edit):
    """There is no way to write into a document by the usual means."""
    mapping = Document.from_mapping({"s": {"a": 1}}).sections["s"]

    with pytest.raises(TypeError, match="immutable"):
        edit(mapping)

    assert mapping == {"a": 1}
    assert dict(mapping) | {"b": 1} == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "E_NONFINITE"),
        (float("-inf"), "E_NONFINITE"),
        (2**64, "E_RANGE"),
        (-(2**63) - 1, "E_RANGE"),
        ("a\0b", "E_CHAR"),
        ("\udc80", "E_CHAR"),
        ({1: 2}, "E_KEYTYPE"),
        ({"a\x07": 2}, "E_CHAR"),
        ({"a\ud800": 2}, "E_CHAR"),
        (b"bytes", "E_TYPE"),
        ({1, 2}, "E_TYPE"),
        (object(), "E_TYPE"),
    ],
)
def test_what_a_document_cannot_hold_is_refused(value, code):
    """Each thing that has no typed canonical form has a fault of its own."""
    assert faults_of({"s": {"deep": [value]}}) == [(code, "s.deep[0]")]


def test_what_is_nested_too_deep_is_refused():
    """Sixty-four levels are enough; a ring ends there too."""
    ring: dict[str, object] = {}
    deep: dict[str, object] = {}
    for _ in range(70):
        deep = {"a": deep}
    ring["a"] = ring

    assert faults_of({"s": deep})[0][0] == "E_DEPTH"
    assert faults_of({"s": ring})[0][0] == "E_DEPTH"


# -- modules -------------------------------------------------------------------------


def test_list_and_mapping_form_are_one_document():
    """Modules may stand in a list with names, or under their names."""
    as_list = [{"name": "a", "type": "x", "config": {"v": 1}, "dependsOn": []}]
    as_map = {"a": {"type": "x", "config": {"v": 1}}}

    one, other = (Document.from_mapping({"modules": m}) for m in (as_list, as_map))

    assert one == other


def test_every_fault_is_found_at_once():
    """One look tells all that is wrong, each with its path."""
    modules = [
        {"type": "x"},
        {"name": "a", "type": 5},
        {"name": "b c", "type": "x"},
        {"name": "d", "type": "x", "config": [1]},
        {"name": "e", "type": "x", "dependsOn": "f"},
        "text",
        {"name": "g", "type": "x", "config": {"n": float("inf")}},
        {"name": "h", "type": "x"},
        {"name": "h", "type": "x"},
        {"name": 5, "type": "x"},
        {"name": "i", "type": "x", "dependsOn": 0},
    ]

    assert faults_of({"modules": modules, "s": {2: 3}}) == [
        ("E_KEYTYPE", "s"),
        ("E_REQUIRED", "modules[0]"),
        ("E_TYPE", "modules[1].type"),
        ("E_NAME", "modules[2].name"),
        ("E_TYPE", "modules[3].config"),
        ("E_TYPE", "modules[4].dependsOn"),
        ("E_TYPE", "modules[5]"),
        ("E_NONFINITE", "modules[6].config.n"),
        ("E_DUPMODULE", "modules[8]"),
        ("E_TYPE", "modules[9].name"),
        ("E_TYPE", "modules[10].dependsOn"),
    ]


def test_a_key_of_the_mapping_form_is_a_string():
    """A number as a module's key is a fault of the key, not of the entry."""
    assert faults_of({"modules": {5: {"type": "x"}}})[0][0] == "E_KEYTYPE"


def test_mapping_form_round_trip():
    """A `name` inside a named entry cannot rename the module."""
    raw = {"modules": {"web": {"name": "other", "type": "x"}}}

    try:
        document = Document.from_mapping(raw)
    except InvalidConfigurationError:
        return

    assert set(document.modules) == {"web"}
    assert Document.from_mapping(document.as_mapping()) == document


@pytest.mark.parametrize("raw", [None, 7, "text", [1], object()])
def test_the_top_level_is_a_mapping(raw):
    """Anything else is one fault of the whole document."""
    assert faults_of(raw) == [("E_TOPLEVEL", "")]


def test_extra_keys_of_a_module_are_kept():
    """What Midflight does not know is kept, written out, and part of the digest."""
    entry: dict[str, Any] = {"name": "a", "type": "x", "owner": {"team": "t"}}
    raw = {"modules": [entry]}
    document = Document.from_mapping(raw)
    other = copy.deepcopy(raw)
    other["modules"][0]["owner"]["team"] = "u"

    diff = Diff.between(document, Document.from_mapping(other))

    assert document.modules["a"].extra == {"owner": {"team": "t"}}
    assert document.as_mapping()["modules"][0]["owner"] == {"team": "t"}
    assert diff.modified == ("a",)
    assert diff.paths("a") == ("modules.a.owner.team",)


def test_the_build_order_follows_dependencies():
    """Each module comes after what it needs, whatever its place."""
    needs = {"d": ["b", "c"], "c": ["a"], "b": ["a"], "a": []}
    modules = {n: {"type": "x", "dependsOn": on} for n, on in needs.items()}

    order = Document.from_mapping({"modules": modules}).build_order

    for at, name in enumerate(order):
        assert set(needs[name]) <= set(order[:at])


def test_dependencies_that_cannot_be_met_are_faults():
    """What is missing and what goes in a ring is told with its place."""
    missing = {"a": {"type": "x", "dependsOn": ["z", "y"]}}
    ring = {
        "a": {"type": "x", "dependsOn": ["b"]},
        "b": {"type": "x", "dependsOn": ["a"]},
    }
    itself = {"a": {"type": "x", "dependsOn": ["a"]}}

    assert faults_of({"modules": missing}) == [
        ("E_DEP", "modules.a.dependsOn[0]"),
        ("E_DEP", "modules.a.dependsOn[1]"),
    ]
    assert [code for code, _ in faults_of({"modules": ring})] == ["E_CYCLE"]
    assert [code for code, _ in faults_of({"modules": itself})] == ["E_CYCLE"]


def test_faults_have_the_places_that_the_source_knows():
    """A fault is shown with file, line and column."""
    with pytest.raises(InvalidConfigurationError) as caught:
        Document.from_mapping(
            {"modules": [{"type": "a"}]}, lambda path: Place("app.yaml", len(path), 7)
        )

    assert str(caught.value).startswith("app.yaml:2:7: E_REQUIRED")


# -- differences ---------------------------------------------------------------------


@given(DOCUMENTS, DOCUMENTS)
def test_a_diff_names_exactly_what_differs(old, new):
    """Every module and section is added, removed, changed or alike, and none twice."""
    diff = Diff.between(old, new)

    changed = {
        n for n in old.modules.keys() & new.modules if old.modules[n] != new.modules[n]
    }
    assert set(diff.added) == new.modules.keys() - old.modules.keys()
    assert set(diff.removed) == old.modules.keys() - new.modules.keys()
    assert set(diff.modified) == changed
    assert set(diff.unchanged) == new.modules.keys() - changed - set(diff.added)
    assert bool(diff) == (old != new)
    assert bool(diff) == bool(list(diff.key_changes()))


def plain(document):
    """Return a document as nested dicts, its modules by name."""
    whole = json.loads(json.dumps(document.as_mapping(), default=repr))
    modules = {each.pop("name"): each for each in whole["modules"]}
    return {**whole, "modules": modules}


@given(DOCUMENTS, DOCUMENTS)
def test_the_key_changes_lead_from_one_document_to_the_other(old, new):
    """Set in the old one, they give the new one, and each of them is needed."""
    made = plain(old)

    for change in Diff.between(old, new).key_changes():
        below = made
        for key in change.path[:-1]:
            below = below[key]
        assert repr(change.old) != repr(change.new)
        if "new" in change.sides:
            below[change.path[-1]] = json.loads(json.dumps(change.new, default=repr))
        else:
            del below[change.path[-1]]
    assert json.dumps(made, sort_keys=True) == json.dumps(plain(new), sort_keys=True)


@given(DOCUMENTS, DOCUMENTS)
def test_a_diff_has_a_way_back(old, new):
    """Inverted, a diff is that of the way back; twice, it is itself."""
    diff = Diff.between(old, new)

    back = diff.inverted()
    assert (set(back.added), set(back.removed)) == (set(diff.removed), set(diff.added))
    assert set(back.modified) == set(diff.modified)
    assert back.sections == diff.sections
    assert back.inverted() == diff


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_its_copy(document):
    """Equal content is no change, even in other objects."""
    copied = Document.from_mapping(document.as_mapping())

    assert not Diff.between(document, copied)
    assert not Diff.between(document, document)


# -- how faults read -----------------------------------------------------------------


def test_a_stranger_is_asked_whether_it_is_equal():
    """A document leaves the answer to what it does not know, as other values do."""
    document = Document.from_mapping({"modules": {"a": {"type": "x"}}})

    for value in (document, document.modules["a"]):
        assert value == mock.ANY
        assert value != "a"


def test_a_fault_reads_in_one_line():
    """Place, code, message, path, found, expected and hint, in that order."""
    fault = Fault(
        Code.E_TYPE,
        "value is no number",
        ("modules", "a", "config", "hosts", 0),
        Place("app.yaml", 3, 5),
        found="'x'",
        expected="a number",
        hint="remove the quotes",
    )

    assert str(fault) == (
        "app.yaml:3:5: E_TYPE: value is no number at `modules.a.config.hosts[0]`, "
        "found 'x', expected a number (remove the quotes)"
    )


def test_a_value_that_cannot_be_shown_does_not_hide_the_fault():
    """A foreign `__repr__` may raise or be endless."""

    class Rude:
        def __repr__(self):
            raise ValueError

    assert "Rude" in shown(Rude())
    assert len(shown("x" * 1000)) <= 40


# -- what a document takes over from the one before ----------------------------------


class Plain:
    """A module that takes whatever it is given."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        pass

    @hookimpl
    def reconfigure(self, config):
        pass


def entries(count: int, **changed: Any) -> dict[str, Any]:
    """Return so many modules in an order of their own; `changed` have other entries."""
    names = sorted((f"m{at}" for at in range(count)), key=lambda name: name[::-1])
    return {
        name: {"type": "plain", **changed.get(name, {"config": {"rate": 1}})}
        for name in names
    }


@pytest.mark.parametrize(
    "edits",
    [
        {"m0": {"config": {"rate": 2}}},
        {"m299": {"config": {"rate": 2}}},
        {"m63": {}, "m64": {}, "m65": {}},
        {"m7": {"dependsOn": ["m8"]}},
        {f"m{at}": {"config": {"rate": at}} for at in range(2, 300)},
    ],
    ids=["first", "last", "neighbours", "order", "nearly all"],
)
def test_a_change_gives_the_document_that_a_new_process_would_have(edits):
    """What is taken over from the document before, digests and order, is still true."""
    source = FakeSource({"modules": entries(300)})
    with Runtime(source, modules={"plain": Plain}) as runtime:
        nothing: dict[str, Any] = {}
        for changed in (edits, nothing, edits):
            source.set({"modules": entries(300, **changed)})
            runtime.reload()
            found, alone = (
                runtime.snapshot.document,
                Document.from_mapping({"modules": entries(300, **changed)}),
            )

            assert found.digest == alone.digest
            assert found.build_order == alone.build_order


def test_modules_in_another_order_are_built_in_that_order():
    """Those that need nothing of each other go as the document has them."""
    source = FakeSource({"modules": entries(3)})
    with Runtime(source, modules={"plain": Plain}) as runtime:
        backwards = reversed(entries(3, m1={"config": {"rate": 9}}).items())
        source.set({"modules": dict(backwards)})
        runtime.reload()

        assert runtime.snapshot.document.build_order == ("m2", "m1", "m0")


class Watched(FrozenDict):
    """A mapping that notes which of its items were asked for by name."""

    asked: list[str]

    def __getitem__(self, name):
        self.asked.append(name)
        return super().__getitem__(name)


class Handed:
    """A source of documents that are made elsewhere."""

    name = "handed"

    def __init__(self, document):
        self.document = document

    @hookimpl
    def load(self):
        return Loaded(self.document)


def test_a_change_of_one_module_asks_for_a_tenth_of_the_modules_at_most():
    """Of 1,000 modules, the digest of a changed document takes over all but a few."""
    document = Document.from_mapping({"modules": entries(1000)})
    changed = Document.from_mapping({"modules": entries(1000, m500={"config": {}})})
    modules = Watched({**document.modules, "m500": changed.modules["m500"]})
    modules.asked = []
    source = Handed(document)
    with Runtime(source, modules={"plain": Plain}) as runtime:
        source.document = Document(modules)
        runtime.reload()

        assert runtime.snapshot.digest == changed.digest
    assert 0 < len(modules.asked) < 100


def by_hand(rate: int) -> Document:
    """Return a document that a plugin makes of plain lists and mappings."""
    one = ModuleConfig("one", "plain", {"rate": rate}, depends_on=["two"])  # type: ignore[arg-type]  # as plugins do
    return Document({"one": one, "two": ModuleConfig("two", "plain")})


def test_a_document_made_by_hand_is_taken_over_like_any_other():
    """Its dependencies may stand in a list, which has no hash."""
    source = Handed(by_hand(1))
    with Runtime(source, modules={"plain": Plain}) as runtime:
        source.document = by_hand(2)
        outcome = runtime.reload()

        assert isinstance(outcome, Applied), outcome.faults
        assert runtime.snapshot.document.modules["one"].config["rate"] == 2
        assert runtime.snapshot.document.build_order == ("two", "one")


def test_a_module_cannot_write_into_a_document_made_by_hand():
    """It is given a copy of what nobody has frozen."""

    class Writes(Plain):
        @hookimpl
        def start(self, config):
            config["rate"] = "written"

    with Runtime(
        Handed(Document({"one": ModuleConfig("one", "plain", {"rate": 1})})),
        modules={"plain": Writes},
    ) as runtime:
        assert runtime.snapshot.document.modules["one"].config == {"rate": 1}
