from __future__ import annotations

import difflib
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midflight import Document
from midflight.errors import InvalidConfigurationError
from midflight_plugins.file import FileSource, _unit, _yaml
from midflight_plugins.overrides import OverridesSource

pytestmark = pytest.mark.no_canaries("it compares whole texts")

TEXT = """\
# head
service: {name: shop}  # who

modules:
  # about a
  - name: a
    type: t
    config:
      rate: 1250  # why so many
      hosts:
        - one  # first
        - two  # second
        # between
        - three
      text: |
        # no comment
        line

  # about b
  - name: b   # b!
    config: {y: 2, z: 'q', far: 0x10}  # why b

  # about c
  - name: c
    dependsOn: [a]
# end of list
other:
  # deep
  k: v   # kv
"""
Change = Callable[[dict[str, Any]], object]


def put(path: Path, change: Change) -> list[str]:
    """Put what a file says with a change; return the lines that are other ones."""
    source, before = FileSource(path), path.read_text()
    loaded = source.load()
    assert isinstance(loaded.document, Document)
    raw = json.loads(json.dumps(loaded.document.as_mapping()))
    change(raw)
    wanted = Document.from_mapping(raw)
    source.put(wanted, loaded.token, None)
    after = path.read_text()
    assert FileSource(path).load().document == wanted
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "-+"]


def at(raw: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one entry."""
    return next(each for each in raw["modules"] if each["name"] == name)


CHANGES: dict[str, tuple[Change, list[str]]] = {
    "a number": (
        lambda raw: at(raw, "a")["config"].update(rate=7),
        ["-       rate: 1250  # why so many", "+       rate: 7     # why so many"],
    ),
    "a word that could be a truth": (
        lambda raw: at(raw, "a")["config"].update(rate="yes"),
        ["-       rate: 1250  # why so many", '+       rate: "yes" # why so many'],
    ),
    "nothing but the end of a line": (
        lambda raw: at(raw, "a")["config"].update(text="\n"),
        [
            "-       text: |",
            '+       text: "\\n"',
            "-         # no comment",
            "-         line",
        ],
    ),
    "a key more": (
        lambda raw: at(raw, "b")["config"].update(w=1),
        [
            "-     config: {y: 2, z: 'q', far: 0x10}  # why b",
            "+     config: {y: 2, z: 'q', far: 0x10, w: 1} # why b",
        ],
    ),
    "a config where there was none": (
        lambda raw: at(raw, "c").update(config={"day": "2020-01-01"}),
        ["+     config:", '+       day: "2020-01-01"'],
    ),
    "a key less": (lambda raw: at(raw, "c").pop("dependsOn"), ["-     dependsOn: [a]"]),
    "the first of a list": (
        lambda raw: at(raw, "a")["config"]["hosts"].remove("one"),
        ["-         - one  # first"],
    ),
    "one more in a list": (
        lambda raw: at(raw, "a")["config"]["hosts"].insert(1, "new"),
        ["+         - new"],
    ),
    "an entry less": (
        lambda raw: raw["modules"].remove(at(raw, "b")),
        ["-   - name: b   # b!", "-     config: {y: 2, z: 'q', far: 0x10}  # why b"],
    ),
    "an entry more": (
        lambda raw: raw["modules"].insert(1, {"name": "n", "config": {"l": [1]}}),
        ["+   - name: n", "+     config:", "+       l:", "+         - 1"],
    ),
    "an entry more at the end": (
        lambda raw: raw["modules"].append({"name": "n", "type": "t"}),
        ["+   - name: n", "+     type: t", "+     config: {}"],
    ),
    "an entry more at the front": (
        lambda raw: raw["modules"].insert(0, {"name": "n", "type": "t"}),
        ["+   - name: n", "+     type: t", "+     config: {}"],
    ),
    "a section, and an entry": (
        lambda raw: (raw["other"].update(k=1), at(raw, "b")["config"].update(y=3)),
        [
            "-     config: {y: 2, z: 'q', far: 0x10}  # why b",
            "+     config: {y: 3, z: 'q', far: 0x10}  # why b",
            "-   k: v   # kv",
            "+   k: 1   # kv",
        ],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_other_lines_stay_as_they_are(write: Any, case: str) -> None:
    """Where a value is put, comments, order, quotes and numbers stay beside it."""
    change, expected = CHANGES[case]

    assert put(write({"app.yaml": TEXT}), change) == expected


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n  ", "\n"),  # dashes at the margin
        TEXT.replace("        - ", "      - ").replace("        # b", "      # b"),
        "\ufeff" + TEXT,
        TEXT.split("# end of list", maxsplit=1)[0].rstrip(
            "\n"
        ),  # no line break at the end
        TEXT.replace("# why", "# wäre es 𝄞, why"),
    ],
)
@pytest.mark.parametrize("case", ["a number", "an entry less", "a key more"])
def test_any_layout_is_kept(write: Any, text: str, case: str) -> None:
    """Indents, a byte order mark, a missing line break and any character."""
    change, expected = CHANGES[case]
    lines = put(write({"app.yaml": text}), change)

    assert len(lines) == len(expected)


@pytest.mark.parametrize(
    "text",
    [
        "# licence\n---\ns: 1  # one\n",
        "# licence\n--- # begins\ns: 1  # one\n",
        "%YAML 1.2\n---\ns: 1  # one\n...\n# behind\n",
        "\ufeff# head\ns: 1  # one\n",
        "# head\r\ns: 1  # one\r\n",
    ],
)
def test_what_stands_around_a_document_is_kept(write: Any, text: str) -> None:
    """Marks of its begin and end, of its version and bytes, and the ends of lines."""
    path = write({"app.yaml": text.encode()})
    put(path, lambda raw: raw.update(s=2))

    assert path.read_bytes() == text.replace("s: 1", "s: 2").encode()


def test_the_order_of_modules_is_written(write: Any) -> None:
    """They start in that order, so it is written, also if nothing else changed."""
    path = write({"app.yaml": TEXT})
    put(path, lambda raw: raw["modules"].reverse())

    assert re.findall("- name: (.)", path.read_text()) == ["c", "b", "a"]


def test_a_long_list_is_written_soon(write: Any) -> None:
    """However many values of a list are alike, they are not compared each with each."""
    path = write({"app.yaml": f"# head\nrows: {[0] * 2_000}\n"})
    put(path, lambda raw: raw.update(rows=[0, 1] * 1_000))

    assert path.read_text().startswith("# head\n")


def test_a_break_that_is_none_is_escaped(write: Any) -> None:
    """What some readers take for the end of a line is written as an escape."""
    path = write({"app.yaml": "# head\ns: 1\n"})
    put(path, lambda raw: raw.update(s="a\x85b\u2028c\u2029d"))

    assert path.read_text().isascii()
    assert path.read_text().startswith("# head\n")


def test_an_anchor_is_kept(write: Any) -> None:
    """Entries that share values by anchors are no reason to lose comments."""
    text = TEXT.replace("{name: shop}", "&s {name: shop}").replace("v   # kv", "*s")
    change, expected = CHANGES["a number"]

    assert put(write({"app.yaml": text}), change) == expected


def test_what_cannot_be_written_in_place_is_written_anew(write: Any) -> None:
    """A value that two places share is changed in one of them; comments are lost."""
    text = "a: &one {x: 1}  # one\nb: *one  # two\n"
    path = write({"app.yaml": text})
    put(path, lambda raw: raw["b"].update(x=2))

    assert "*one" not in path.read_text()


def test_a_large_file_is_not_parsed_for_one_value(write: Any, monkeypatch: Any) -> None:
    """Of a thousand entries, the text of one is read and written."""
    entry = "  - name: m{0}\n    config:\n      rate: {0}  # of {0}\n"
    text = "modules:\n" + "".join(entry.format(n) for n in range(1_000))
    path = write({"app.yaml": text})
    source, sizes = FileSource(path), []
    loaded = source.load()
    assert isinstance(loaded.document, Document)
    raw = loaded.document.as_mapping()
    raw["modules"][500] = {"name": "m500", "config": {"rate": -1}}
    plain = _yaml.parse

    def noted(text: str, *args: Any, **options: Any) -> Any:
        sizes.append(len(text))
        return plain(text, *args, **options)

    monkeypatch.delenv("MIDFLIGHT_FULL_PARSE", raising=False)
    monkeypatch.setattr(_yaml, "parse", noted)
    monkeypatch.setitem(_unit._PARSERS, ".yaml", noted)
    source.put(Document.from_mapping(raw), loaded.token, None)

    assert sum(sizes) < 1_000
    assert path.read_text() == text.replace("rate: 500  # of", "rate: -1   # of")


def test_comments_of_overrides_stay(write: Any) -> None:
    """What operators wrote beside their overrides is there after another one is set."""
    text = (
        "# on call: ada\nmodules:\n  api:\n    config:\n      rate: 7  # till Monday\n"
    )
    path = write({"over.yaml": text})
    overrides = OverridesSource(f"file:{path}")
    overrides.set("modules.api.config.burst", 9)
    overrides.set("modules.web.config.rate", 2)
    burst = "      burst: 9\n"
    web = "  web:\n    config:\n      rate: 2\n"

    assert path.read_text() == text + burst + web


EMPTY = """\
# on call: ada
modules:
  - name: z  # Z
    config:
    type: t
  - name: a
    config:  # nothing yet
    type: t
log:
  level: INFO  # x
"""


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: at(raw, "a").update(config={"rate": 1}),
        lambda raw: at(raw, "z").update(type="u"),
        lambda raw: raw["log"].update(level="DEBUG"),
    ],
)
def test_a_key_without_a_value_costs_no_comment(write: Any, change: Change) -> None:
    """`config:` alone is an empty mapping to its reader, and nothing to a writer."""
    path = write({"app.yaml": EMPTY})
    put(path, change)

    comments = re.findall("#.*", EMPTY)
    assert re.findall("#.*", path.read_text()) == comments


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("0.0", "-0.0", -0.0),
        ("-0.0", "0.0", 0.0),
        ("1", "1.0", 1.0),
        ("1", "true", True),
    ],
)
def test_what_only_looks_equal_is_written(
    write: Any, old: str, new: str, value: object
) -> None:
    """Python calls them equal, and they are not the same."""
    path = write(
        {"app.yaml": f"# head\nmodules:\n  - name: a\n    config:\n      x: {old}\n"}
    )
    put(path, lambda raw: at(raw, "a").update(config={"x": value}))

    assert path.read_text().startswith("# head\n")
    assert path.read_text().endswith(f"x: {new}\n")


def test_braces_in_a_list_stay(write: Any) -> None:
    """Without them the file is no longer one for the C parser."""
    text = "modules:\n  - name: a\n    config:\n      rules: [{allow: a}, {deny: b}]\n"
    path = write({"app.yaml": f"{text}      rate: 1\n"})
    put(path, lambda raw: at(raw, "a")["config"].update(rate=2))

    assert path.read_text() == f"{text}      rate: 2\n"


def test_a_text_full_of_colons_is_looked_at_once(write: Any) -> None:
    """What looks like the end of many keys takes no time that grows with its square."""
    colons = ": # " * 15_000
    text = f'# head\nmodules:\n- name: a\n  config:\n    x: "{colons}"\n    z: 1\n'
    path = write({"app.yaml": text})
    change: Change = lambda raw: at(raw, "a")["config"].update(z=2)  # noqa: E731
    thread = threading.Thread(target=put, args=(path, change), daemon=True)
    thread.start()
    thread.join(8)

    assert not thread.is_alive()
    assert path.read_text().startswith("# head\n")


def test_what_would_not_be_read_again_is_not_written(write: Any) -> None:
    """A file that would be larger than may be read stays as it was."""
    path = write({"app.yaml": "# head\ns: 1\n"})
    source = FileSource(path, max_size=100)
    loaded = source.load()
    with pytest.raises(InvalidConfigurationError, match="E_SIZE") as info:
        source.put(Document.from_mapping({"s": "x" * 101}), loaded.token, None)

    assert info.value.faults[0].expected == "at most 100 bytes"
    assert path.read_text() == "# head\ns: 1\n"


@pytest.mark.parametrize("odd", ["\x7f", "\x80", "\ufffe", "\uffff"])
def test_any_character_fits_into_json(write: Any, odd: str) -> None:
    """What may not stand in a text is written as an escape."""
    path = write({"app.json": "{}"})
    put(path, lambda raw: raw.update(s=f"a{odd}b"))

    assert f"a\\u{ord(odd):04x}b" in path.read_text()


# -- any text, any change --------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "yes", "1", "a b", "a: b", "- x", "#", "é\n𝄞", " x ", "*a", "~"]
    ),
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Z"]), max_size=9),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from("klmn"), inner, max_size=3),
    ),
    max_leaves=6,
)
ENTRIES = st.dictionaries(
    st.sampled_from(["m1", "m2", "m3", "m4", "m5"]),
    st.dictionaries(st.sampled_from(["rate", "hosts", "deep"]), VALUES, max_size=3),
    min_size=1,
)


def raw_of(entries: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration of modules."""
    rows = [{"name": name, "config": config} for name, config in entries.items()]
    return {"modules": rows, "tail": {"x": 1}}


@given(before=ENTRIES, after=ENTRIES, share=st.sets(st.sampled_from("12345")))
def test_whatever_changes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, before: Any, after: Any, share: Any
) -> None:
    """Any values for any others: what is read is what was put; comments beside stay."""
    path = tmp_path_factory.mktemp("put") / "app.yaml"
    path.write_text("modules: []\ntail: {x: 1}\n")
    put(path, lambda raw: raw.update(raw_of(before)))
    lines = re.sub(r"(?m)^( *- name: (\w+))$", r"\1  # of \2", path.read_text())
    path.write_text(lines + "# the end\n")
    kept = {name: before[name] for name in before if name[1:] in share}
    wanted = {**after, **kept}
    put(path, lambda raw: raw.update(raw_of(wanted)))
    text = path.read_text()

    assert "# the end" in text
    in_order = [n for n in before if n in wanted] == [n for n in wanted if n in before]
    for name in before.keys() & wanted.keys() if in_order else ():
        assert f"- name: {name}  # of {name}" in text
