from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midflight import Document, Runtime, Secret
from midflight.testing import FakeSource
from midflight_plugins.secrets import escaped
from midflight_plugins.secrets._grammar import MalformedError, Reference, parse

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
DOLLARS = st.text("${}:-Aa1", max_size=12)


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    """What the process's environment holds in these tests."""
    found = {"HOST": "db", "PORT": "5432", "EMPTY": "", "NESTED": "${HOST}"}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("UNSET", raising=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${HOST}", "db"),
        ("a ${HOST}:${PORT} z", "a db:5432 z"),
        ("${UNSET:-else}", "else"),
        ("${EMPTY:-else}", "else"),
        ("${HOST:-else}", "db"),
        ("${UNSET:-}", ""),
        ("${EMPTY}", ""),
        ("${UNSET:-http://x:80/}", "http://x:80/"),
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$${HOST}"),
        ("$HOST $ $$ {HOST} }", "$HOST $ $$ {HOST} }"),
        ("${NESTED}", "${HOST}"),
        ("<${NESTED}>", "<${HOST}>"),
    ],
)
def test_a_reference_is_replaced_once(resolve, text, value):
    """An escape is a literal `${`, and what a reference gave is not expanded."""
    assert resolve({"it": text})["it"] == value


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("${PORT}", 5432),
        ("${UNSET:-8080}", 8080),
        ("${UNSET:-0.5}", 0.5),
        ("${UNSET:-true}", True),
        ("${UNSET:-null}", None),
        ("${UNSET:-[1, 2]}", (1, 2)),
        ('${UNSET:-"8080"}', "8080"),
        (" ${PORT}", " 5432"),
        ("${PORT}${UNSET:-}", "5432"),
    ],
)
def test_a_lone_variable_is_read_as_the_environment_source_reads_it(
    resolve, reference, value
):
    """A value that is one variable and nothing else has the type its text says."""
    found = resolve({"it": reference})["it"]

    assert found == value
    assert type(found) is type(value)


def test_json_in_a_variable_is_a_value_in_which_nothing_is_expanded(
    resolve, monkeypatch
):
    """A mapping of a variable is frozen, hides its secrets, and is taken as it is."""
    monkeypatch.setenv("MORE", '{"a": ["${HOST}"], "password": "hunter2"}')
    found = resolve({"it": "${MORE}"})["it"]

    assert found["a"] == ("${HOST}",)
    assert found["password"] == Secret("hunter2")
    with pytest.raises(TypeError):
        found["a"] = 1


def test_references_stand_in_every_string_value_and_in_no_key():
    """Lists, mappings, further keys of modules and other sections are expanded."""
    entry = {"name": "m", "type": "t", "config": {"a": [{"${HOST}": "${HOST}"}]}}
    raw = {"modules": [{**entry, "note": "${HOST}"}], "top": {"b": ["x-${PORT}"]}}
    document, _ = Runtime(FakeSource(raw)).read()

    assert document.modules["m"].config == {"a": ({"${HOST}": "db"},)}
    assert document.modules["m"].extra == {"note": "db"}
    assert document.sections == {"top": {"b": ("x-5432",)}}


def test_every_fault_is_told_at_once_with_its_path(faults_of):
    """Unset variables, unknown schemes and broken references stand side by side."""
    config = {
        "a": "${UNSET}",
        "b": ["x${vault:kv/db}"],
        "c": "${",
        "d": "${not a name}",
        "e": "${A:-${HOST}}",
        "f": "${UNSET} ${UNSET}",
    }
    faults = faults_of(config)
    under = ("modules", "m", "config")

    assert [(fault.code, fault.path) for fault in faults] == [
        ("E_ENV", (*under, "a")),
        ("E_SECRET", (*under, "b", 0)),
        ("E_SYNTAX", (*under, "c")),
        ("E_SYNTAX", (*under, "d")),
        ("E_SYNTAX", (*under, "e")),
        ("E_ENV", (*under, "f")),
    ]
    assert "`UNSET`" in faults[0].message
    assert "${UNSET:-default}" in faults[0].hint
    assert "`vault:kv/db`" in faults[1].message
    assert "known: `file`" in faults[1].message
    assert "install the plugin that has `vault`" in faults[1].hint
    assert "$${" in faults[2].hint


def test_faults_have_the_place_of_the_value(tmp_path):
    """A fault names file, line and column of the string with the reference."""
    path = tmp_path / "app.yaml"
    path.write_text("modules: []\ntop:\n  a: ${UNSET}\n")
    (fault,) = Runtime(f"file:{path}").check()

    assert str(fault.place).endswith("app.yaml:3:6")


@pytest.mark.parametrize("text", ["007", "1_000", "1.10", "{oops", '{"a":1,"a":2}'])
def test_an_unclear_variable_is_refused_and_not_shown(faults_of, monkeypatch, text):
    """Text that is nearly a number or JSON is a fault that does not hold the text."""
    monkeypatch.setenv("ODD", text)
    (fault,) = faults_of({"it": "${ODD}"})

    assert fault.code in {"E_VALUE", "E_SYNTAX", "E_DUPKEY"}
    assert "`ODD`" in fault.message
    assert text not in str(fault)


def test_what_no_document_can_hold_is_refused_in_a_value_too(faults_of, folder):
    """A NUL character that comes out of a file is found as one that was written."""
    (folder / "odd").write_bytes(b"hunter\0two")
    (fault,) = faults_of({"it": f"${{file:{folder}/odd}}"})

    assert fault.code == "E_CHAR"
    assert fault.path == ("modules", "m", "config", "it")
    assert "hunter" not in str(fault)


def test_a_document_without_references_comes_back_as_it_was(build):
    """Nothing to expand and nothing to hide: the same object."""
    runtime, _ = build({"a": [1, "b", {"c": None}]}, sections={"x": {"y": "z"}})
    document, loaded = runtime.read()

    assert document is loaded.document


@given(TEXT.filter(lambda text: "${" not in text))
def test_text_without_a_reference_is_unchanged(text):
    """Whatever holds no `${` stays as it is."""
    assert "".join(map(str, parse(text))) == text


@given(st.one_of(TEXT, DOLLARS))
def test_an_escaped_text_expands_to_itself(text):
    """`escaped` is the way back, for any text at all."""
    assert parse(escaped(text)) == ((text,) if text else ())


@given(DOLLARS)
def test_every_text_is_expanded_or_refused(text):
    """No text is misread: its parts, written again, mean the same."""
    try:
        parts = parse(text)
    except MalformedError:
        assert "${" in text
        return
    again = "".join(
        escaped(part) if isinstance(part, str) else _written(part) for part in parts
    )

    assert parse(again) == parts


def _written(reference: Reference) -> str:
    default = "" if reference.default is None else f":-{reference.default}"
    return f"${{{reference}{default}}}"


def test_a_document_given_from_python_is_expanded_too():
    """The source need not be a file."""
    document = Document.from_mapping({"modules": [], "a": "${PORT}"})

    assert Runtime(FakeSource(cast("Any", document))).read()[0].sections["a"] == 5432
