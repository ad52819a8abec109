from __future__ import annotations

import pytest

GROUPS = (
    "sources",
    "modules",
    "strategies",
    "plugins",
    "commands",
    "secrets",
    "capabilities",
)
COMMANDS = [
    ["--help"],
    ["settings"],
    ["plugins"],
    ["check", "app.yaml"],
    ["explain", "--all", "app.yaml"],
    ["diff", "app.yaml", "app.yaml"],
    ["plan", "app.yaml", "app.yaml"],
    ["put", "database:sqlite:///x.db", "app.yaml", "-m", "first"],
]


@pytest.fixture
def unknown(site):
    """Install a wheel that nobody knows, with an entry point in every group."""
    site.install("newcomer", {f"{group}:newcomer": "Kind" for group in GROUPS})
    site.write("app.yaml")
    return site


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_no_command_imports_what_it_does_not_name(unknown, words):
    """A wheel that was only installed is imported by no command."""
    unknown.run(*words)

    assert "midflight_plugins.cli" in unknown.imported
    assert "newcomer" not in unknown.imported


def test_no_service_imports_what_it_does_not_name(unknown):
    """A service starts, and stops, without it."""
    unknown.serve("app.yaml")

    assert "newcomer" not in unknown.imported


def test_what_is_named_is_imported(unknown):
    """The same wheel serves who names it."""
    unknown.run("check", unknown.write("named.yaml", "newcomer"))

    assert "newcomer" in unknown.imported
