"""A distribution of a third party is found by its entry points, and its tests pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib

import pytest


@pytest.fixture
def installed(root, tmp_path):
    """Return a folder as an installer leaves it: the package and its metadata."""
    sample = root / "examples/plugin"
    project = tomllib.loads((sample / "pyproject.toml").read_text())["project"]
    site = shutil.copytree(sample / "src", tmp_path / "site")
    meta = site / f"midflight_sample-{project['version']}.dist-info"
    meta.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\n"
    (meta / "METADATA").write_text(f"{head}Version: {project['version']}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {to}\n" for name, to in points.items())
        for group, points in project["entry-points"].items()
    ]
    (meta / "entry_points.txt").write_text("\n".join(groups))
    return site


def run(site, *command):
    """Run a command in a process that finds what is installed in `site`."""
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(site), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_listed(installed):
    """Its source and its module type are known by name, with its distribution."""
    listed = run(installed, "-m", "midflight", "plugins").stdout

    assert any(
        line.split()[:3] == ["source", "folder", "midflight-sample"]
        for line in listed.splitlines()
    )
    assert any(
        line.split()[:3] == ["module", "heartbeat", "midflight-sample"]
        for line in listed.splitlines()
    )


def test_its_own_tests_pass(installed, root):
    """The contract suite runs in its tests, and it keeps the contract."""
    tests = root / "examples/plugin/tests"
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "-c",
        os.devnull,
    ]
    done = run(installed, "-m", "pytest", *options, str(tests))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
