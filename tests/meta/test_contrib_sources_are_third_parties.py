"""What stands in `contrib_sources` is shaped as a stranger's would be, and small."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("contrib_sources/*/pyproject.toml"))
PUBLIC = {
    "midflight",
    "midflight.errors",
    "midflight.following",
    "midflight.hookspecs",
    "midflight.testing",
}
LINES = 250

each_source = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


def imported(path):
    """Return the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def test_there_are_six():
    """Redis, etcd, NATS, HTTP, S3 and Kubernetes; the README tells of each."""
    page = (ROOT / "contrib_sources/README.md").read_text()
    needs = (ROOT / "contrib_sources/requirements.txt").read_text()

    assert len(FOLDERS) == 6
    for folder in FOLDERS:
        assert f"({folder.name}/README.md)" in page
        assert f"--editable ./contrib_sources/{folder.name}[test]\n" in needs


@each_source
def test_it_is_a_distribution_of_its_own(folder):
    """With its name, entry point, README, changelog and tests."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]

    assert project["name"] == f"midflight-{folder.name}"
    assert any(re.match(r"midflight\b", each) for each in project["dependencies"])
    assert folder.name in project["entry-points"]["midflight.sources"]
    for part in ("README.md", "CHANGELOG.md", f"src/midflight_{folder.name}/py.typed"):
        assert (folder / part).exists()
    assert list((folder / "tests").glob("test_*.py"))


@each_source
def test_it_is_small(folder):
    """Beside its tests it has at most 250 lines."""
    files = (folder / "src").rglob("*.py")

    assert sum(len(file.read_text().splitlines()) for file in files) <= LINES


@each_source
def test_it_imports_what_strangers_may(folder):
    """Public names of Midflight, no plugin of ours, no other source."""
    own = f"midflight_{folder.name}"
    found = {
        name
        for file in (*folder.rglob("src/**/*.py"), *folder.rglob("tests/*.py"))
        for name in imported(file)
        if name and name.startswith("midflight") and name.partition(".")[0] != own
    }

    assert found <= PUBLIC
