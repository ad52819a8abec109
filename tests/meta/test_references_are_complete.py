"""Error codes, extras and set-up commands stand in the docs as they are in the code."""

from __future__ import annotations

import inspect
import os
import re
import runpy
import subprocess
import tomllib

import pytest

from midflight.errors import Code
from midflight.following import Following

RUNS_TESTS = re.compile(r"^\$ (python3 -m venv .*-Im pytest.*)$", re.MULTILINE)


@pytest.fixture(scope="session")
def project(root):
    """Return the `[project]` table."""
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("code", list(Code))
def test_every_error_code_is_explained(code, root):
    """The reference has one row per code: what it means and what to do."""
    page = (root / "docs/reference/errors.md").read_text()

    assert re.search(rf"^\| `{code}` \| \S.* \| \S.* \|$", page, re.MULTILINE)


def test_no_other_code_is_explained(root):
    """The reference has no row for a code that does not exist."""
    page = (root / "docs/reference/errors.md").read_text()
    rows = re.findall(r"^\| `(E_\w+)`", page, re.MULTILINE)

    assert sorted(rows) == sorted(Code)


def test_every_route_is_in_the_reference(root):
    """The page of the HTTP API is what the routes and their types say."""
    made = runpy.run_path(str(root / "docs/_ext/api_page.py"))["page"]()

    assert (root / "docs/reference/http-api.md").read_text() == made, (
        "run: python docs/_ext/api_page.py"
    )


@pytest.mark.parametrize("name", inspect.signature(Following).parameters)
def test_every_argument_of_following_is_explained(name, root):
    """Its page has each argument, with its default, and a line that explains it."""
    page = (root / "docs/reference/following.md").read_text()
    default = inspect.signature(Following).parameters[name].default
    shown = name if default is inspect.Parameter.empty else f"{name}={default}"

    assert re.search(rf"^```{{py:class}}.*\W{shown}\b", page, re.MULTILINE)
    assert re.search(rf"^- \*\*`{name}`\*\* \w", page, re.MULTILINE)


def test_every_figure_is_in_the_guide(root):
    """Who sets up Prometheus finds each metric, by its name, with what it means."""
    code = (root / "plugins/midflight_plugins/admin/_metrics.py").read_text()
    guide = (root / "docs/how-to/operate-with-the-admin.md").read_text()
    names = set(re.findall(r'"(midflight_\w+)"', code))
    told = set(
        re.findall(r"^\| `(midflight_\w+?)(?:_total)?` \|.*\| \w", guide, re.MULTILINE)
    )

    assert names
    assert told == names


def test_every_extra_is_in_the_readme(root, project):
    """Who reads how to install Midflight sees each extra."""
    readme = (root / "README.md").read_text()
    named = {
        extra.strip()
        for group in re.findall(r"(?:midflight|\.)\[([\w, -]+)\]", readme)
        for extra in group.split(",")
    }

    assert set(project["optional-dependencies"]) <= named


def test_all_is_the_union_of_the_extras(project):
    """`midflight[all]` brings what every extra for users brings."""
    extras = set(project["optional-dependencies"]) - {"all", "test"}

    assert project["optional-dependencies"]["all"] == [
        f"midflight[{','.join(sorted(extras))}]"
    ]


def test_the_checks_run_the_readmes_command(root):
    """The command in the README that runs the tests is the one that `.ci/run` runs."""
    commands = RUNS_TESTS.findall((root / "README.md").read_text())
    shown = subprocess.run(
        [root / ".ci/run", "--show-tests"], capture_output=True, text=True, check=False
    )

    assert os.access(root / ".ci/run", os.X_OK)
    assert len(commands) == 1, "README needs one `$ python3 -m venv … -Im pytest` line"
    assert shown.stdout.strip() == commands[0]


def test_fragments_of_the_changelog_do_not_hide_each_other(root):
    """Each has the name that towncrier tells apart: issue, kind and number."""
    names = {path.name for path in (root / "changelog.d").glob("*.md")} - {"README.md"}
    right = re.compile(r"(\d+\.[a-z]+\.\d+|\+\w+\.[a-z]+)\.md")

    assert {name for name in names if not right.fullmatch(name)} == set()
