from __future__ import annotations

import json
import sys

import click
import pytest

from midflight_plugins.cli._app import app

CODE = '''
import click
from midflight.errors import SourceUnavailableError

@click.group()
def tool():
    """Work on things."""


@tool.command()
@click.argument("word")
def say(word):
    """Say a word."""
    click.echo(f"it says {word}")


@tool.command()
def fail():
    raise SourceUnavailableError("the thing is down")


no_command = 3
'''
POINTS = """\
[midflight.commands]
tool = acme_tool:tool
check = acme_tool:tool
number = acme_tool:no_command
absent = acme_tool:nosuch

[midflight.modules]
other = acme_tool:tool
"""


@pytest.fixture
def tool(install):
    """Install a distribution with commands, some of them broken."""
    return install("acme-tool", CODE, POINTS)


def test_a_plugin_brings_a_command(midflight, tool):
    """A click command or group of an entry point is one of ours."""
    assert midflight("tool", "say", "hello").stdout == "it says hello\n"
    assert "Say a word." in midflight("tool", "--help").stdout


def test_errors_of_a_plugins_command_have_exit_codes(midflight, tool):
    """What it raises ends as the errors of our own commands do."""
    result = midflight("tool", "fail", code=3)

    assert result.stderr == "error: the thing is down\n"


def test_help_lists_commands_of_plugins(midflight, tool):
    """They have a heading of their own, with the way to their help."""
    text = midflight("--help").stdout
    ours, _, theirs = text.partition("Commands of plugins:\n")

    assert "tool" not in ours
    names = [line.split()[0] for line in theirs.splitlines() if "See `" in line]
    assert {"absent", "number", "tool"} <= {*names}
    assert "check" not in names
    assert app.list_commands(click.Context(app)).count("check") == 1
    assert "other" not in names
    assert "See `midflight tool --help`." in theirs


def test_help_imports_no_plugin(midflight, tool):
    """Names are enough for help: the module is imported only when it is named."""
    midflight("--help")
    listed = "acme_tool" in sys.modules
    midflight("tool", "say", "x")

    assert not listed
    assert "acme_tool" in sys.modules


def test_other_commands_import_no_plugin_command(midflight, tool):
    """A broken command spoils no other."""
    midflight("plugins")

    assert "acme_tool" not in sys.modules


def test_a_built_in_command_keeps_its_name(midflight, tool):
    """A plugin cannot replace a command of ours; `plugins` shows the clash."""
    rows = json.loads(midflight("plugins", "--format", "json").stdout)
    states = {
        row["name"]: (row["state"], row["reason"])
        for row in rows
        if row["distribution"] == "acme-tool" and row["role"] == "command"
    }

    assert "Find every fault" in midflight("check", "--help").stdout
    assert states["check"] == ("reserved", "the name of a built-in command")
    assert states["tool"] == ("available", "")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("absent", "command `absent` of acme-tool 1.0 cannot be used: AttributeError"),
        ("number", "command `number` is no `click.Command`, but int"),
        ("nosuch", "No such command 'nosuch'"),
    ],
)
def test_a_broken_command_is_named(midflight, tool, name, says):
    """It is a usage error that names the command, not a traceback."""
    assert says in midflight(name, code=2).stderr


def test_a_name_that_two_claim_is_nobodys(midflight, tool, install):
    """Neither of two distributions can decide for the user."""
    points = "[midflight.commands]\ntool = other_tool:tool\n"
    install("other-tool", CODE, points)
    result = midflight("tool", code=2)

    assert "claim the name" in result.stderr
    assert all(name in result.stderr for name in ("acme-tool", "other-tool"))


def test_odd_declarations_spoil_no_help(midflight, install):
    """Comments, spaces and bytes that are no text are passed over."""
    points = "# x = y\n[ midflight.commands ]\n; a = b\n odd-one=odd_tool:tool\nrest\n"
    site = install("odd-tool", CODE, points)
    broken = site / "broken-1.dist-info"
    broken.mkdir()
    (broken / "entry_points.txt").write_bytes(b"[midflight.commands]\n\xff = x:y\n")
    theirs = midflight("--help").stdout.partition("Commands of plugins:\n")[2]
    names = [line.split()[0] for line in theirs.splitlines() if "See `" in line]

    assert "odd-one" in names
    assert not {"a", "#", "rest", "x"} & {*names}
