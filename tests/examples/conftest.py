"""The distributions of `examples`, as an installer leaves them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib

import pytest


@pytest.fixture
def install(root, tmp_path):
    """Return a function that installs examples for this test alone."""
    site = tmp_path / "site"

    def install(*names):
        for name in names:
            folder = root / "examples" / name
            project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
            shutil.copytree(folder / "src", site, dirs_exist_ok=True)
            plain = f"{project['name'].replace('-', '_')}-{project['version']}"
            meta = site / f"{plain}.dist-info"
            meta.mkdir()
            head = f"Metadata-Version: 2.1\nName: {project['name']}\n"
            (meta / "METADATA").write_text(f"{head}Version: {project['version']}\n")
            groups = [
                f"[{group}]\n" + "".join(f"{key} = {to}\n" for key, to in each.items())
                for group, each in project["entry-points"].items()
            ]
            (meta / "entry_points.txt").write_text("\n".join(groups))
        return site

    return install


@pytest.fixture
def environ(install, tmp_path):
    """Return the variables of a process that finds what is installed."""
    return {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "site"),
        "PYTEST_ADDOPTS": "",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


@pytest.fixture
def run(environ):
    """Return a function that runs a module of Python with what is installed."""

    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", *words],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=50,
            check=False,
        )

    return run


@pytest.fixture
def run_tests(run, root):
    """Return a function that runs the own tests of an example."""

    def run_tests(name):
        options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
        folder = str(root / "examples" / name / "tests")
        return run("pytest", *options, "-c", os.devnull, folder)

    return run_tests
