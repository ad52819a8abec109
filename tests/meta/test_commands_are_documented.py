"""Commands, options and variables stand in the reference."""

from __future__ import annotations

import re
import tomllib

import click
import pytest

from midflight_plugins.cli._app import app
from midflight_plugins.cli._settings import PREFIX, SETTINGS
from midflight_plugins.cli._types import import_type

RENDERED = re.compile(
    r"^\.\. click:: (?P<target>\S+)\n   :prog: (?P<name>.+)\n   :nested: full$",
    re.MULTILINE,
)
SPELT = re.compile(PREFIX + r"[A-Z][A-Z_]*[A-Z]")
ROW = re.compile(r"^\| (`[A-Z_`, ]+`) \| \S", re.MULTILINE)


@pytest.fixture(scope="session")
def declared(root):
    """Return the target of every command that we ship, by what users type."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["midflight.commands"]
    return {
        "midflight": "midflight_plugins.cli._app:app",
        **{f"midflight {name}": target for name, target in points.items()},
    }


@pytest.fixture(scope="session")
def rendered(root):
    """Return what the page of the commands is made of, by what users type."""
    page = (root / "docs/reference/cli.md").read_text()
    return {found["name"]: found["target"] for found in RENDERED.finditer(page)}


def walked(name, command):
    """Yield a command, and all below it, by what users type."""
    yield name, command
    if isinstance(command, click.Group):
        for word, each in command.commands.items():
            yield from walked(f"{name} {word}", each)


def undescribed(name, command):
    """Yield a command without help, and each of its options without any."""
    if not (command.help or "").strip():
        yield name
    for option in command.params:
        described = not isinstance(option, click.Option) or (option.help or "").strip()
        if not described or getattr(option, "hidden", False):
            yield f"{name} {option.opts[0]}"


def test_every_command_is_in_the_reference(declared, rendered):
    """The page is made of every command we ship, those of plugins too, and no other."""
    assert rendered == declared


def test_every_option_is_described(declared):
    """What the page shows of each command and each option says what it does."""
    missing = [
        each
        for name, target in declared.items()
        for place, command in walked(name, import_type(target))
        for each in undescribed(place, command)
    ]

    assert "midflight plugins" in dict(walked("midflight", app))
    assert missing == []


def test_an_option_without_help_is_seen():
    """The check above can fail: it sees what is bare, and what is hidden."""

    @click.command()
    @click.option("--bare")
    @click.option("--told", help="It is.")
    @click.option("--secret", help="It is.", hidden=True)
    def command():
        """Do something."""

    found = set(undescribed("tool", command))

    assert found == {"tool --bare", "tool --secret"}


def test_every_variable_has_a_row(root, source):
    """What the code reads beside settings is told in one place, and no more."""
    page = (root / "docs/reference/cli.md").read_text()
    settings = {setting.variable for setting in SETTINGS}
    # Three more are put together of the prefix: see `_origins.py`.
    read = {PREFIX + "SETTINGS"}
    for each in source:
        read |= set(SPELT.findall(each.text))
    rows = {name for row in ROW.findall(page) for name in SPELT.findall(row)}

    assert rows == read - settings
