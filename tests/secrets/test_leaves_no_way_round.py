from __future__ import annotations

import json

import attrs
import pytest
from click.testing import CliRunner

from midflight import Runtime, Secret, hookimpl
from midflight_plugins.api import explained
from midflight_plugins.cli._app import app
from midflight_plugins.memory import MemorySource


@attrs.frozen
class Login:
    password: str = ""
    port: int = 0
    tokens: tuple[str, ...] = ()


class WithLogin:
    """A module whose configuration class does not know of secrets."""

    Config = Login

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self):
        pass


def run(*words, code=0):
    """Run a command and return all that it wrote."""
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    return result.output


def explanation(runtime, path):
    """Return what is told of a path of a runtime's document."""
    return explained(runtime.snapshot.document, runtime.snapshot.loaded, path)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return the current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["PGPASSWORD", "dbpassword", "authToken", "authtoken"])
def test_a_name_without_separators_is_secret(resolve, name):
    """`PGPASSWORD` is the usual variable of PostgreSQL."""
    assert resolve({name: "hunter2"})[name] == Secret("hunter2")


@pytest.mark.parametrize("config", [{"password": 98765432}, {"tokens": [98765432]}])
def test_a_secret_that_was_not_quoted_is_not_told(faults_of, config):
    """It is a number, so nothing would hide it; that fault is the only one."""
    (fault,) = faults_of(config, modules={"keeps": WithLogin})

    assert fault.code == "E_SECRET"
    assert "98765432" not in repr(fault)
    assert fault.expected == "a string"


def test_another_number_is_told(faults_of):
    """Only what is called like a secret loses what was found."""
    (fault,) = faults_of({"port": "98765432"}, modules={"keeps": WithLogin})

    assert fault.found == "'98765432'"


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_check_tells_no_secret_that_yaml_refuses(place, form):
    """A date at the key of a secret is refused before anything could hide it."""
    (place / "app.yaml").write_text("modules: []\ndb: {password: 2024-01-02}\n")
    text = run("check", "app.yaml", "--format", form, code=1)

    assert "E_TYPE" in text
    assert "2024-01-02" not in text


KEY = "-----BEGIN PRIVATE KEY-----"
CUT_OFF = [
    f"db:\n  key: |\n    {KEY}\n  hunter2\n    x\n",
    "db:\n  password: |\n    one\n hunter2\n",
    "db:\n  token: >-\n\n    one\n\n  hunter2\n",
]


@pytest.mark.parametrize("text", CUT_OFF)
def test_check_shows_no_line_out_of_a_secret(place, text):
    """A line that lost its indentation belongs to the key before it."""
    (place / "app.yaml").write_text(text)

    assert "hunter2" not in run("check", "app.yaml", code=1)


NOT_READ = [
    ("app.yaml", "password: @hunter2\n"),
    ("app.yaml", "password: %hunter2\n"),
    ("app.yaml", "password: *hunter2\n"),
    ("app.yaml", 'db: {password: "abc" hunter2}\n'),
    ("app.yaml", "db:\n  password: |\n    one\n hunter2\n"),
    ("app.yaml", f"db:\n  pem: |\n    {KEY}\n   hunter2\n"),
    ("app.json", '{"db": {"password": hunter2}}'),
    ("app.json", '{"db": {"password": "a" hunter2}}'),
    ("app.yaml", "password: 0712345\n"),
    ("app.yaml", "password: 2024-01-02\n"),
    ("app.yaml", "password: !!int hunter2\n"),
    ("app.yaml", f"password: {'7' * 200}\n"),
    ("app.json", f'{{"password": {"7" * 200}}}'),
]
VALUES = ("hunter2", "0712345", "2024-01-02", "77777")


@pytest.mark.parametrize(("name", "text"), NOT_READ)
def test_a_file_that_cannot_be_read_tells_no_secret(place, name, text):
    """Its faults go into logs, the status and the journal; a key before them tells."""
    (place / name).write_text(text)
    faults = Runtime(f"file:{name}").check()

    assert faults
    assert not [each for each in VALUES if each in repr(faults)]


def test_a_file_that_cannot_be_read_tells_what_it_met(place):
    """What follows no such key is told by its first word or mark."""
    (place / "app.yaml").write_text("host: @hunter2\n")

    assert Runtime("file:app.yaml").check()[0].found == "'@'"


LOW = {"password": "hunter2", "url": "postgres://u:hunter2@h", "x": "hunter2", "n": 1}
LOW["y"] = {"deep": "hunter2"}
HIGH = {"password": "", "url": "sqlite:", "x": None, "n": 2}


def test_what_nobody_judged_is_not_explained(place):
    """A lower layer's text is shown only where the one in force is open."""
    (place / "low.yaml").write_text(json.dumps({"db": {**LOW, "motto": "so"}}))
    (place / "high.yaml").write_text(json.dumps({"db": {**HIGH, "motto": "it"}}))
    sources = ["file:low.yaml", "file:high.yaml"]
    with Runtime(sources) as runtime:
        told = json.dumps(explanation(runtime, ""), default=str)
    words = [word for uri in sources for word in ("--source", uri)]
    shown = run("explain", "--all", *words, "--format", "json")

    for text in (told, shown):
        rows = {row["path"]: row for row in json.loads(text)["values"]}
        shadows = {path: row["shadows"] for path, row in rows.items()}
        assert [s["value"] for s in shadows["db.n"]] == [1]
        assert [s["value"] for s in shadows["db.motto"]] == ["so"]
        assert "hunter2" not in json.dumps([shadows[f"db.{key}"] for key in HIGH])


def test_an_override_is_not_repeated(place):
    """What was set is said in JSON as `list` says it."""
    words = ("override", "set", "--store", "file:over.yaml", "--format", "json")

    told = run(*words, "db.password", "hunter2")  # with a warning behind it
    assert json.JSONDecoder().raw_decode(told)[0]["value"] == "********"
    assert "hunter2" not in told
    assert json.loads(run(*words, "db.host", "h"))["value"] == "h"


def test_a_document_in_memory_has_the_same_rules():
    """Not only files have layers."""
    sources = [MemorySource({"db": {"x": "hunter2"}}), MemorySource({"db": {"x": 1}})]
    with Runtime(sources) as runtime:
        assert "hunter2" not in json.dumps(explanation(runtime, "db"))
