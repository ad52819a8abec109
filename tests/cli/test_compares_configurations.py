from __future__ import annotations

import json

import pytest

NEW = """\
platform: {region: eu}
modules:
  - name: a
    type: worker
    config: {rate: 2, motto: stay}
  - name: c
    type: plain
"""
MARKED = """\
import attrs
from midflight import hookimpl


@attrs.frozen
class Config:
    rate: int = attrs.field(metadata={"x-midflight": "live"})
    word: str = attrs.field(metadata={"x-midflight": "secret"})


class Kind:
    Config = Config

    def __init__(self, name):
        pass

    @hookimpl
    def start(self):
        pass

    @hookimpl
    def reconfigure(self):
        pass
"""


@pytest.fixture
def new(folder):
    """Add `new.yaml`: one module more, one less, one modified, and a section."""
    (folder / "new.yaml").write_text(NEW)


def test_diff_shows_what_differs(midflight, new):
    """Modules added, removed and modified, each key with both sides, and sections."""
    result = midflight("diff", "app.yaml", "new.yaml")

    assert result.stdout == (
        "- module b (worker)\n"
        "+ module c (plain)\n"
        "~ module a (worker)\n"
        "    config.rate   1 -> 2\n"
        '    config.motto  (absent) -> "stay"\n'
        "~ section platform\n"
        '    platform  (absent) -> {"region": "eu"}\n'
        "\n"
        "modules: 1 added, 1 removed, 1 modified; 1 section changed\n"
    )


def test_diff_writes_json(midflight, new):
    """JSON has the same as data; an absent side has no key."""
    result = midflight("diff", "app.yaml", "new.yaml", "--format", "json")
    data = json.loads(result.stdout)

    assert data["differs"] is True
    assert data["added"] == [{"name": "c", "type": "plain"}]
    assert data["removed"] == [{"name": "b", "type": "worker"}]
    assert data["modified"] == [
        {
            "name": "a",
            "type": "worker",
            "changes": [
                {"path": "modules.a.config.rate", "old": 1, "new": 2},
                {"path": "modules.a.config.motto", "new": "stay"},
            ],
        }
    ]
    assert data["sections"] == [
        {"name": "platform", "changes": [{"path": "platform", "new": {"region": "eu"}}]}
    ]


def test_diff_says_that_nothing_differs(midflight, folder):
    """Comments and the order of keys are no difference."""
    text = (folder / "app.yaml").read_text().replace("rate: 1", "rate: 1 # slow")
    (folder / "same.yaml").write_text(text)

    assert "no difference" in midflight("diff", "app.yaml", "same.yaml").stdout


def test_diff_takes_uris(midflight, folder):
    """OLD and NEW may be source URIs; a file of such a name comes first."""
    (folder / "env:x.yaml").write_text("platform: 1\nmodules: []\n")
    result = midflight("diff", "file:app.yaml", "env:x.yaml")

    assert "- module a (worker)" in result.stdout


def test_diff_needs_no_module_types(midflight, folder):
    """Two configurations can be compared where their plugins are not installed."""
    (folder / "other.yaml").write_text("modules: [{name: a, type: nosuch}]\n")

    assert "~ module a (nosuch)" in midflight("diff", "app.yaml", "other.yaml").stdout


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("nowhere.yaml", "app.yaml", 3, "nowhere.yaml"),
        ("app.yaml", "broken.yaml", 1, "broken.yaml:1:"),
        ("app.yaml", "nosuch:x", 2, "no source is called `nosuch`"),
    ],
)
def test_diff_says_what_it_cannot_read(midflight, folder, old, new, code, says):
    """Each kind of trouble has its exit code, and its text on standard error."""
    (folder / "broken.yaml").write_text("- 1\n")
    result = midflight("diff", old, new, code=code)

    assert says in result.stderr
    assert result.stdout == ""


def test_plan_shows_each_step(midflight, folder, with_types):
    """Steps come in order, with the reason and the key paths behind them."""
    (folder / "new.yaml").write_text(NEW.replace("platform: {region: eu}\n", ""))
    result = midflight("plan", "app.yaml", "new.yaml", *with_types)

    assert result.stdout == (
        "surgical\n"
        "\n"
        "  1  stop         b  removed\n"
        "  2  reconfigure  a  configuration changed\n"
        "                     modules.a.config.rate\n"
        "                     modules.a.config.motto\n"
        "  3  start        c  added\n"
        "\n"
        "3 steps\n"
    )


def test_plan_names_the_marks_of_what_changes(midflight, folder):
    """Live and secret stand beside the key, in text and in JSON; no value does."""
    (folder / "kept.py").write_text(MARKED)
    for name, rate, word in (("old", 1, "open-sesame"), ("new", 2, "shut-sesame")):
        (folder / f"{name}.yaml").write_text(
            f"modules: [{{name: a, type: k, config: {{rate: {rate}, word: {word}}}}}]"
        )
    words = ("plan", "old.yaml", "new.yaml", "--module", "k=kept:Kind")

    text = midflight(*words).stdout
    data = midflight(*words, "--format", "json").stdout

    said = "configuration changed; `rate` is taken live; `word` is secret"
    assert f"  1  reconfigure  a  {said}\n" in text
    assert json.loads(data)["steps"][0]["reason"] == said
    assert "sesame" not in text + data


@pytest.mark.parametrize("form", ["text", "json"])
def test_json_has_the_faults_that_leave_no_plan(midflight, folder, with_types, form):
    """A program finds on standard output what a person reads beside it."""
    (folder / "new.yaml").write_text(NEW.replace("rate: 2", "rate: two"))
    words = ("plan", "app.yaml", "new.yaml", *with_types, "--format", form)
    result = midflight(*words, code=1)

    assert "error[E_TYPE]" in result.stderr
    found = json.loads(result.stdout or "{}")
    assert [each["code"] for each in found.get("faults", ())] == (
        ["E_TYPE"] if form == "json" else []
    )


def test_plan_asks_the_strategy(midflight, new, with_types):
    """Another strategy, another plan."""
    words = ("plan", "app.yaml", "new.yaml", *with_types, "--format", "json")
    full = json.loads(midflight(*words, "--strategy", "full").stdout)
    hold = json.loads(midflight(*words, "--strategy", "hold").stdout)

    assert [(step["action"], step["module"]) for step in full["steps"]] == [
        ("stop", "b"),
        ("restart", "a"),
        ("start", "c"),
    ]
    assert (full["verdict"], hold["verdict"]) == ("apply", "hold")


def test_plan_says_that_there_is_nothing_to_do(midflight, with_types):
    """The same on both sides needs no step."""
    result = midflight("plan", "app.yaml", "app.yaml", *with_types)

    assert "no difference: no module is touched" in result.stdout


def test_plan_shows_the_faults_of_the_new(midflight, folder, with_types):
    """A configuration that would be refused has no plan but its faults."""
    (folder / "new.yaml").write_text(NEW.replace("rate: 2", "rate: two"))
    result = midflight("plan", "app.yaml", "new.yaml", *with_types, code=1)

    assert "error[E_TYPE]" in result.stderr
    assert "new.yaml:5:20" in result.stderr
    assert result.stdout == ""


def test_plan_names_an_unknown_strategy(midflight, new, with_types):
    """A strategy that is not installed is a usage error."""
    words = ("plan", "app.yaml", "new.yaml", *with_types, "--strategy", "surgicl")

    assert "did you mean `surgical`?" in midflight(*words, code=2).stderr
