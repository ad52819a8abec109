from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midflight import Diff
from midflight.errors import SourceUnavailableError
from midflight_plugins.file import FileSource

YAML = """\
# comments do not count
modules:
- name: web
  type: http
  dependsOn: [db]
  config: {port: 8080, ratio: 0.5, on: "yes", tags: [a, 'b'], nothing: }
  team: shop
- name: db
  type: store
triggers:
  nightly: {cron: "*/5 * * * *"}
"""
JSON = """\
{"modules": [{"name": "web", "type": "http", "dependsOn": ["db"], "team": "shop",
  "config": {"port": 8080, "ratio": 0.5, "on": "yes", "tags": ["a", "b"],
  "nothing": null}},
 {"name": "db", "type": "store"}], "triggers": {"nightly": {"cron": "*/5 * * * *"}}}
"""
TOML = """\
[[modules]]
name = "web"
type = "http"
dependsOn = ["db"]
team = "shop"
[modules.config]
port = 8080
[[modules]]
name = "db"
type = "store"
[triggers.nightly]
cron = "*/5 * * * *"
"""


@pytest.mark.parametrize("suffix", ["yaml", "yml", "YAML"])
def test_yaml_and_json_mean_the_same(suffix: str, write: Any, load: Any) -> None:
    """One configuration has one digest, whichever way it is written."""
    one = load(FileSource(write({f"app.{suffix}": YAML})))
    other = load(FileSource(write({"app.json": JSON})))

    assert one.digest == other.digest
    assert one.modules["web"].config["tags"] == ("a", "b")
    assert one.modules["web"].config["nothing"] is None
    assert one.modules["web"].extra == {"team": "shop"}


def test_reads_toml(write: Any, load: Any) -> None:
    """TOML gives modules and sections too."""
    document = load(FileSource(write({"app.toml": TOML})))

    assert document.modules["web"].config == {"port": 8080}
    assert document.modules["web"].depends_on == ("db",)
    assert document.sections["triggers"]["nightly"]["cron"] == "*/5 * * * *"


def test_name_tells_the_path_as_written() -> None:
    """The name is `file:` and the path, unresolved."""
    assert FileSource.from_uri("conf/app.yaml").name == "file:conf/app.yaml"
    assert FileSource.from_uri("///etc/app.yaml").path == "/etc/app.yaml"
    with pytest.raises(ValueError, match="needs a path"):
        FileSource.from_uri("")


def test_accepts_a_byte_order_mark(write: Any, load: Any) -> None:
    """A BOM at the start is no part of the text, and moves no place."""
    source = FileSource(write({"app.yaml": b"\xef\xbb\xbfa: 1\n"}))

    assert load(source).sections == {"a": 1}


def test_a_missing_file_is_unavailable_not_invalid(tmp_path: Any, write: Any) -> None:
    """A file that is not there, or is a directory, may come back: try again later."""
    source = FileSource(tmp_path / "app.yaml")
    with pytest.raises(
        SourceUnavailableError, match=r"app\.yaml: cannot be read: does not"
    ):
        source.load()
    before = source.hash()
    with pytest.raises(SourceUnavailableError, match="not a regular file"):
        FileSource(tmp_path).load()

    write({"app.yaml": "a: 1\n"})

    assert source.hash() != before


def test_a_pipe_does_not_block(tmp_path: Any) -> None:
    """Opening a named pipe returns at once."""
    os.mkfifo(tmp_path / "app.yaml")

    with pytest.raises(SourceUnavailableError, match="not a regular file"):
        FileSource(tmp_path / "app.yaml").load()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-1", -1), ("+5", 5), ("0", 0), ("0x1F", 31), ("0o17", 15),
        ("1.5", 1.5), ("1.0", 1.0), ("-0.5", -0.5), (".5", 0.5), ("5.", 5.0),
        ("1.5e+3", 1500.0), ("true", True), ("False", False), ("~", None), ("", None),
        ("y", "y"), ("nope", "nope"), ("1.2.3", "1.2.3"), ("127.0.0.1", "127.0.0.1"),
        ("10ms", "10ms"), ("8080:80", "8080:80"), ("-", None), ("'NO'", "NO"),
        ("!!str 010", "010"), ("!!float 3", 3.0), ("off-line", "off-line"),
        ("sha256:0a", "sha256:0a"), ("http://x:80", "http://x:80"),
    ],
)  # fmt: skip
def test_plain_scalars_mean_what_yaml_1_2_says(
    text: str, value: object, write: Any, load: Any
) -> None:
    """Ordinary numbers and words are read, not refused."""
    if text == "-":
        text = "'-'"
        value = "-"
    got = load(FileSource(write({"app.yaml": f"a: {text}\n"}))).sections["a"]

    assert (got, type(got)) == (value, type(value))


def test_anchors_and_merges_are_understood(write: Any, load: Any) -> None:
    """A merge fills in what is not there; the first source of several wins."""
    text = "a: &a {x: 1, y: 2}\nb: {<<: [*a, {y: 3, z: 4}], x: 9}\nc: *a\n"

    sections = load(FileSource(write({"app.yaml": text}))).sections

    assert sections["b"] == {"x": 9, "y": 2, "z": 4}
    assert sections["c"] == {"x": 1, "y": 2}


def test_unwanted_words_may_be_keys(write: Any, load: Any) -> None:
    """A key that is a word is that word, whatever YAML 1.1 makes of it."""
    document = load(FileSource(write({"app.yaml": "on: {22:22: x, no: y}\n"})))

    assert document.sections == {"on": {"22:22": "x", "no": "y"}}


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("modules", "web", "config", "port"), 6, 18),
        (("modules", "web", "config", "tags", 1), 6, 57),
        (("modules", "web", "config", "unknown"), 6, 11),
        (("modules", "db"), 8, 3),
        (("modules", 1, "type"), 9, 9),
        (("triggers", "nightly", "cron"), 11, 19),
        (("nothing", "here"), 2, 1),
        ((), 2, 1),
    ],
)
def test_finds_the_place_of_a_path_or_of_its_parent(
    path: Any, line: int, column: int, write: Any
) -> None:
    """Places are found by module name or position, and fall back to the parent."""
    file = write({"app.yaml": YAML})
    loaded = FileSource(file).load()

    assert loaded.positions is not None
    assert str(loaded.positions(path)) == f"{file}:{line}:{column}"


def test_places_are_those_of_the_bytes_that_were_loaded(write: Any) -> None:
    """A file that changes after the load does not move the places of that load."""
    file = write({"app.yaml": "\n\na: 1\n"})
    loaded = FileSource(file).load()
    write({"app.yaml": "a: 1\n"})

    assert loaded.positions is not None
    assert str(loaded.positions(("a",))) == f"{file}:3:4"


@pytest.mark.parametrize(
    ("text", "path", "line", "column"),
    [
        (JSON, ("modules", "web", "config", "port"), 2, 22),
        (JSON, ("modules", "db"), 4, 2),
    ],
)
def test_json_has_places(
    text: str, path: Any, line: int, column: int, write: Any
) -> None:
    """Places in JSON are exact."""
    file = write({"app.json": text})
    loaded = FileSource(file).load()

    assert loaded.positions is not None
    assert str(loaded.positions(path)) == f"{file}:{line}:{column}"


def test_toml_has_places_by_line(write: Any) -> None:
    """Places in TOML are those of headers and of lines that begin with a key."""
    file = write({"app.toml": TOML})
    loaded = FileSource(file).load()

    assert loaded.positions is not None
    assert str(loaded.positions(("modules", "web", "config", "port"))) == f"{file}:7:8"
    assert str(loaded.positions(("modules", "db", "type"))) == f"{file}:10:8"


def test_parses_equal_bytes_once(write: Any, load: Any) -> None:
    """A load of unchanged files gives the very same modules."""
    source = FileSource(write({"app.yaml": "imports: [b.yaml]\n", "b.yaml": YAML}))
    first = load(source)
    write({"app.yaml": "imports: [b.yaml]\nx: 1\n"})
    second = load(source)

    assert second.modules["web"] is first.modules["web"]
    assert Diff.between(first, second).sections == ("x",)


def test_back_to_the_good_bytes_gives_the_good_modules(
    write: Any, load: Any, faults_of: Any
) -> None:
    """A file that was bad for a while is not parsed again once it is as before."""
    source = FileSource(write({"app.yaml": YAML}))
    first, token = load(source), source.hash()
    write({"app.yaml": YAML + "]"})
    assert faults_of(source)
    assert source.hash() != token
    write({"app.yaml": YAML})

    assert source.hash() == token
    assert load(source).modules["web"] is first.modules["web"]


def test_a_change_of_directory_changes_nothing(
    write: Any, load: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """A relative path means what it meant when the source was made."""
    write({"x/app.yaml": "imports: [b.yaml]\n", "x/b.yaml": "b: 1\n", "y/z": ""})
    monkeypatch.chdir(tmp_path)
    source = FileSource("x/app.yaml")
    token = source.hash()
    monkeypatch.chdir(tmp_path / "y")

    assert source.hash() == token
    assert load(source).sections == {"b": 1}


def test_importing_the_plugin_imports_no_library() -> None:
    """The libraries are imported by the first parse and the first watch."""
    code = (
        "import sys, midflight_plugins.file; "
        "print([m for m in sys.modules if m.split('.')[0] in ('ruamel', 'watchdog')])"
    )
    done = subprocess.run(
        [sys.executable, "-Ic", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


# Beyond the basic plane JSON writes pairs of escapes, which YAML does not join.
words = st.text(
    st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=6
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), words,
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip


@given(
    st.dictionaries(
        words,
        st.recursive(
            scalars,
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4)
            ),
            max_leaves=12,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_json_text_reads_the_same_as_yaml_if_it_reads(value: Any) -> None:
    """YAML of JSON text gives the value JSON gives, or refuses; never another value."""
    import json

    from midflight_plugins.file import _json, _yaml
    from midflight_plugins.file._limits import Limits

    text = json.dumps(value)
    as_json = _json.parse(text, "a.json", Limits(), record=True)
    as_yaml = _yaml.parse(text, "a.yaml", Limits(), record=True)

    assert as_json.value == value
    if not as_yaml.faults:
        assert repr(as_yaml.value) == repr(as_json.value)
        assert as_yaml.spots == as_json.spots


@pytest.mark.parametrize("size", [65_500, 65_536, 131_072, 200_000])
def test_the_token_is_that_of_the_bytes_whatever_was_read_before(write, size):
    """One who followed every edit of a large file tells the same as a stranger."""
    random, text = Random(size), bytearray(b"x" * size)
    path = write({"app.json": json.dumps({"note": text.decode()})})
    source = FileSource(path)
    tokens = {source.load().token}
    for step in range(12):
        at = random.randrange(len(text))
        text[at : at + random.choice((0, 1, 40_000))] = b"%d" % step
        path.write_text(json.dumps({"note": text.decode()}))
        token = source.load().token
        tokens.add(token)

        assert token == source.hash() == FileSource(path).hash()

    assert len(tokens) == 13


def test_a_file_that_grows_while_it_is_read_is_read_in_large_parts(
    write: Any, load: Any, monkeypatch: Any
) -> None:
    """Who writes in place begins with nothing: that says nothing about the size."""
    path = write({"app.json": ""})
    parts: list[bytes] = []
    text, read = json.dumps({"note": "x" * 1_000_000}), os.read

    def late(handle: int, size: int) -> bytes:
        if not parts:
            path.write_text(text)
        parts.append(read(handle, size))
        return parts[-1]

    monkeypatch.setattr(os, "read", late)
    document = load(FileSource(path))

    assert len(document.sections["note"]) == 1_000_000
    assert len(parts) < 50
