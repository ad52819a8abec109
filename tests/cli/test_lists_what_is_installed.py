from __future__ import annotations

import json
import subprocess
import sys

import pytest

import midflight as package

HEAVY = {"asyncio", "cattrs", "midflight", "rich", "ruamel", "sqlalchemy", "uvicorn"}
TYPED = """\
import dataclasses
from typing import Literal, NotRequired, TypedDict

import msgspec
import pydantic


@dataclasses.dataclass
class Data:
    port: int
    hosts: list[str] = dataclasses.field(default_factory=list)


class Typed(TypedDict):
    port: int


class Strict(pydantic.BaseModel):
    port: int
    level: Literal["low", "high"] = "low"
    token: pydantic.SecretStr = pydantic.SecretStr("canary")
    hosts: list[str] = pydantic.Field(default_factory=list)


class Packed(msgspec.Struct, rename="kebab"):
    port: int
    max_age: int = 3


class Part(TypedDict):
    port: int
    path: NotRequired[str]


class One:
    '''Takes a dataclass.

    And says more.
    '''

    Config = Data


class Two:
    Config = Typed


class Three:
    Config = {
        "properties": {"port": {"type": "integer"}, "any": True},
        "required": ["port"],
    }


class Four:
    Config = Strict


class Five:
    Config = Packed


class Six:
    Config = Part


class Seven:
    Config = {"$ref": "#/nowhere", "properties": 3}
"""
HIDES = """\
import attrs
from midflight import Secret


@attrs.frozen
class Settings:
    key: Secret = Secret("canary")
    more: Secret | None = None


class Hides:
    Config = Settings
"""


def described(midflight, folder, cls):
    """Return what the command says of a class of `TYPED`."""
    (folder / f"typed_{cls.lower()}.py").write_text(TYPED)
    option = f"x=typed_{cls.lower()}:{cls}"
    words = ("modules", "--module", option, "--format", "json")
    rows = json.loads(midflight(*words).stdout)
    return next(row for row in rows if row["type"] == "x")


def test_lists_every_plugin(midflight):
    """Each entry point has role, name, distribution, version, target and state."""
    rows = json.loads(midflight("plugins", "--format", "json").stdout)
    file = next(row for row in rows if (row["role"], row["name"]) == ("source", "file"))

    assert file == {
        "role": "source",
        "name": "file",
        "distribution": "midflight",
        "version": package.__version__,
        "target": "midflight_plugins.file:FileSource",
        "state": "available",
        "reason": "",
    }


def test_lists_plugins_in_columns(midflight):
    """For people there is a line for each."""
    lines = midflight("plugins").stdout.splitlines()

    assert lines[0].split()[:3] == ["ROLE", "NAME", "DISTRIBUTION"]
    rows = [line for line in lines if line.split()[1] in {"file", "surgical"}]
    assert len(rows) == 2
    assert {row.index("midflight ") for row in rows} == {lines[0].index("DISTRIB")}


def test_lists_module_types(midflight, with_types):
    """Each says whether it can be reconfigured, what it reads and what it takes."""
    words = ("modules", *with_types, "--format", "json")
    rows = {row["type"]: row for row in json.loads(midflight(*words).stdout)}

    assert {"http", "logging"} <= rows.keys()
    assert rows["worker"] == {
        "type": "worker",
        "from": "--module",
        "doc": "Writes the rate in force to a file of its name.",
        "reconfigurable": True,
        "overlap": False,
        "sections": [],
        "config": [
            {"name": "rate", "type": "integer", "required": False, "default": 1},
            {"name": "motto", "type": "string", "required": False, "default": "go"},
        ],
    }
    assert rows["plain"]["reconfigurable"] is False
    assert rows["plain"]["overlap"] is True
    assert rows["plain"]["sections"] == ["platform"]
    assert rows["plain"]["config"] == []


def test_lists_module_types_for_people(midflight, with_types):
    """For people there is a paragraph for each."""
    text = midflight("modules", *with_types).stdout

    assert (
        "worker  --module\n"
        "  Writes the rate in force to a file of its name.\n"
        "  reconfigurable\n"
        "    rate   integer  = 1\n"
        '    motto  string   = "go"\n'
    ) in text


def test_shows_no_default_of_a_secret(midflight, folder):
    """What it is called inside, and what it holds, is nobody's business."""
    (folder / "hides.py").write_text(HIDES)
    text = midflight("modules", "--module", "hides=hides:Hides").stdout

    assert "    key   secret         optional" in text
    assert "    more  secret | null  = null" in text
    assert "canary" not in text
    assert "Secret" not in text


def test_the_help_of_durations_shows_no_formula(midflight):
    """What a duration may be is said where one is wrong."""
    text = midflight("run", "--help").stdout
    wrong = [midflight("run", "--deadline", w, code=2).stderr for w in ("0", "x")]

    assert "<x" not in text
    assert "31622400" not in text
    assert "[default: 30]" in text
    for said in wrong:
        assert "is not a number of seconds, more than 0" in " ".join(said.split())


@pytest.mark.parametrize(
    ("cls", "others"),
    [
        ("One", [("hosts", "array of string", None)]),
        ("Two", []),
        ("Three", [("any", "any", None)]),
        (
            "Four",
            [
                ("level", '"low" | "high"', "low"),
                ("token", "secret", None),
                ("hosts", "array of string", None),
            ],
        ),
        ("Five", [("max-age", "integer", 3)]),
        ("Six", [("path", "string", None)]),
    ],
)
def test_describes_every_kind_of_config(midflight, folder, cls, others):
    """Each kind tells the names that a file has, what is required, and defaults."""
    row = described(midflight, folder, cls)

    first, *rest = row["config"]
    assert first == {"name": "port", "type": "integer", "required": True}
    assert not any(each["required"] for each in rest)
    found = [(each["name"], each["type"], each.get("default")) for each in rest]
    assert found == others


def test_a_schema_that_is_none_spoils_no_other(midflight, folder):
    """What its author got wrong is told in its own paragraph."""
    row = described(midflight, folder, "Seven")

    assert row.keys() == {"type", "from", "error"}


def test_says_its_version(midflight):
    """`--version` names the distribution's version."""
    assert midflight("--version").stdout == f"midflight {package.__version__}\n"


def test_shows_help_without_a_command(midflight):
    """`midflight` alone lists the commands."""
    text = midflight().stdout

    assert text.startswith("Usage: midflight ")
    assert all(name in text for name in ("run", "check", "diff", "plan", "explain"))


def test_help_imports_nothing_heavy():
    """Help needs neither the core nor any plugin's library."""
    code = (
        "import sys\nfrom midflight_plugins.cli import main\n"
        "sys.argv[1:] = ['--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    print(sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-Ic", code], capture_output=True, text=True, check=True
    )
    names = set(eval(done.stdout.splitlines()[-1]))

    assert "midflight_plugins.cli" in names
    assert not names & HEAVY


def test_runs_as_a_module():
    """`python -m midflight` is the same command."""
    command = [sys.executable, "-Im", "midflight", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == f"midflight {package.__version__}\n"


def test_an_unexpected_error_is_not_hidden(midflight, monkeypatch):
    """A fault of ours is no expected error: it is raised, to be reported."""

    def fail(*_args):
        raise ZeroDivisionError

    monkeypatch.setattr(package.PluginRegistry, "entries", fail)
    result = midflight("plugins", code=1)

    assert isinstance(result.exception, ZeroDivisionError)
