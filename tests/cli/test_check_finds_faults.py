from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from midflight import Fault, Place
from midflight.errors import Code
from midflight_plugins.cli import _faults

_DATA = Path(__file__).parents[1] / "data" / "bad_inputs.py"
ROWS = runpy.run_path(str(_DATA))["ROWS"]
BAD = """\
modules:
  - name: a
    type: worker
    config:
      rate: "1"
      mötto: 日本語
  - {name: b, type: wroker, dependsOn: [c]}
"""


@pytest.fixture
def bad(folder):
    """Return the folder with many faults in `app.yaml`."""
    (folder / "app.yaml").write_text(BAD)
    return folder


def test_says_that_all_is_well(midflight, with_types):
    """A clean configuration is its number of modules and its digest."""
    result = midflight("check", "app.yaml", *with_types)

    assert result.stdout.startswith("ok: 2 modules, digest ")


@pytest.mark.parametrize("where", ["config", "extra", "section"])
def test_tells_no_digest_of_secrets(midflight, folder, with_types, where):
    """It would be another one each time: the next process tells it otherwise."""
    text = {
        "config": "modules: [{name: a, type: plain, config: {a: [{token: x}]}}]\n",
        "extra": "modules: [{name: a, type: plain, token: x}]\n",
        "section": "modules: []\nweb: {token: x}\n",
    }[where]
    (folder / "app.yaml").write_text(text)
    words = ("check", "app.yaml", *with_types)
    found = json.loads(midflight(*words, "--format", "json").stdout)

    assert midflight(*words).stdout.startswith("ok: ")
    assert "digest" not in midflight(*words).stdout
    assert (found["ok"], found["digest"]) == (True, None)


def test_shows_every_fault_at_once(midflight, bad, with_types):
    """All faults come together, in the order of their places."""
    result = midflight("check", "app.yaml", *with_types, code=1)
    codes = [line for line in result.stdout.splitlines() if line.startswith("error")]

    assert [line.split("]")[0] for line in codes] == [
        "error[E_TYPE",
        "error[E_UNKNOWN",
        "error[E_MODULETYPE",
        "error[E_DEP",
    ]
    assert result.stdout.endswith("\n4 faults\n")


def test_shows_the_line_and_a_caret(midflight, bad, with_types):
    """A fault is shown in its line, and the caret stands under its column."""
    result = midflight("check", "app.yaml", *with_types, code=1)

    assert (
        "error[E_TYPE]: value has the wrong type\n"
        " --> app.yaml:5:13\n"
        "   |\n"
        ' 5 |       rate: "1"\n'
        "   |             ^\n"
        "   = at:       modules.a.config.rate\n"
        "   = found:    '1'\n"
        "   = expected: an integer\n"
        "   = hint:     remove the quotes\n"
    ) in result.stdout


def test_the_caret_counts_wide_characters(folder):
    """A character that takes two columns moves the caret by two."""
    (folder / "wide.yaml").write_text("日本: 1\n", encoding="utf-8")
    text = _faults.as_text([Fault(Code.E_TYPE, "no", place=Place("wide.yaml", 1, 5))])
    plain = text.replace("\x1b[34m\x1b[1m", "").replace("\x1b[31m\x1b[1m", "")
    lines = plain.replace("\x1b[0m", "").splitlines()

    assert lines[3] == " 1 | 日本: 1"
    assert lines[4] == "   |       ^"


def test_shows_a_long_line_in_part(folder):
    """Of a line that fills more than a screen, the part around the place is shown."""
    (folder / "long.json").write_text(f'{{"a": "{"x" * 5000}", "b": 1}}')
    text = _faults.as_text(
        [Fault(Code.E_TYPE, "no", place=Place("long.json", 1, 5014))]
    )

    assert '"b"' in text
    assert max(map(len, text.splitlines())) < 150


@pytest.mark.parametrize(
    "line",
    [
        "password: hunter2 # mine",
        '"dbPassword" : "hunter2", "port": NO',
        "api_key = 'hunter2'",
        "url: postgres://ada:hunter2@host/db",
        "hosts: [{token: hunter2}]",
    ],
)
def test_shows_no_secret_of_a_line(folder, line):
    """Of the line at a fault nothing is shown after the name of a secret."""
    (folder / "app.yaml").write_text(f"{line}\n")
    fault = Fault(Code.E_TYPE, "odd", place=Place("app.yaml", 1, len(line)))

    text = _faults.as_text([fault])

    assert "hunter2" not in text
    assert line[:3] in text


def test_shows_no_control_characters(midflight, folder):
    """What stands in a file cannot steer the terminal that shows its faults."""
    (folder / "app.yaml").write_text('a: "\u202e \u2066 \x9b" \nmodules: 1\n')
    result = midflight("check", "app.yaml", code=1)

    assert not {*"\u202e\u2066\x9b\x1b"} & {*result.stdout}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_finds_every_bad_input(midflight, folder, row):
    """Each bad input gives its code at its place, in every form."""
    for name, content in row.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    words = ("check", next(iter(row.files)))
    data = json.loads(midflight(*words, "--format", "json", code=1).stdout)
    text = midflight(*words, code=1).stdout
    github = midflight(*words, "--format", "github", code=1).stdout
    places = [
        (each["code"], each["file"], each["line"], each["column"])
        for each in data["faults"]
    ]

    assert (row.code, row.file, row.line, row.column) in places
    assert f"error[{row.code}]" in text
    assert f"title={row.code}::" in github
    assert github.count("\n") == len(data["faults"])


def test_writes_json(midflight, bad, with_types):
    """JSON has every part of a fault under its own key."""
    result = midflight("check", "app.yaml", *with_types, "--format", "json", code=1)
    data = json.loads(result.stdout)

    assert data["ok"] is False
    assert data["faults"][0] == {
        "code": "E_TYPE",
        "message": "value has the wrong type",
        "path": "modules.a.config.rate",
        "file": "app.yaml",
        "line": 5,
        "column": 13,
        "layer": None,
        "found": "'1'",
        "expected": "an integer",
        "hint": "remove the quotes",
    }


def test_writes_json_when_all_is_well(midflight, with_types):
    """JSON says so, with the whole digest."""
    result = midflight("check", "app.yaml", *with_types, "--format", "json")
    data = json.loads(result.stdout)

    assert (data["ok"], data["modules"], data["faults"]) == (True, 2, [])
    assert len(data["digest"]) == 64


def test_escapes_what_ends_a_github_command():
    """A percent sign, a line end, and in properties colon and comma are escaped."""
    place = Place("a:b,c%.yaml", 2, 3)
    fault = Fault(Code.E_TYPE, "100%: a, b", place=place, hint="one\r\ntwo")

    assert _faults.as_github([fault]) == (
        "::error file=a%3Ab%2Cc%25.yaml,line=2,col=3,title=E_TYPE::"
        "100%25: a, b%0Ahint: one%0D%0Atwo"
    )


def test_a_github_command_can_do_without_a_place():
    """A fault of the whole has a title alone."""
    assert _faults.as_github([Fault(Code.E_EMPTY, "empty")]) == (
        "::error title=E_EMPTY::empty"
    )


def test_a_source_that_cannot_be_read_is_no_fault(midflight):
    """A missing file has an exit code of its own, and its text on standard error."""
    result = midflight("check", "nowhere.yaml", code=3)

    assert "nowhere.yaml" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give a FILE, or a --source URI"),
        (
            ("--source", "nosuch:x"),
            "in what is installed, no source is called `nosuch`; known: ",
        ),
        (("app.yaml", "-p", "nosuch"), "no plugin is called `nosuch`"),
        (("app.yaml", "--module", "x"), "is not NAME=package.module:Class"),
        (("app.yaml", "--module", "x=no.such:Y"), "ModuleNotFoundError"),
        (("app.yaml", "--module", "x=kinds:Nobody"), "AttributeError"),
        (("app.yaml", "--module", "x=broken:Y"), "SyntaxError"),
        (("app.yaml", "--module", "x=leaving:Y"), "SystemExit"),
    ],
)
def test_says_how_it_was_called_wrongly(midflight, folder, words, says):
    """What is named on the command line and is not there is a usage error."""
    (folder / "broken.py").write_text("def")
    (folder / "leaving.py").write_text("raise SystemExit(0)")
    result = midflight("check", *words, code=2)

    assert says in result.stderr


def test_shows_no_line_of_a_secret(folder):
    """A secret of several lines has its place in a fault, and none of its lines."""
    (folder / "app.yaml").write_text("password: |\n  hunter2\n")
    fault = Fault(Code.E_TYPE, "odd", ("password",), Place("app.yaml", 2, 3))

    text = _faults.as_text([fault])

    assert "app.yaml:2:3" in text
    assert "hunter2" not in text
