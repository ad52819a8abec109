"""Each clause of each contract turns red on something that breaks it."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from midflight.testing import (
    ModuleContract,
    SourceContract,
    StrategyContract,
    WritableSourceContract,
    wait_until,
)

pytestmark = [pytest.mark.xdist_group("suites"), pytest.mark.timeout(300)]
HERE = Path(__file__).parent


def classes():
    """Yield each class of the files beside this one, with its file."""
    for path in sorted(HERE.glob("broken_*.py")):
        for name, value in runpy.run_path(str(path)).items():
            if name.startswith("Test"):
                yield path, value


def clauses(suite):
    """Return the names of a suite's clauses."""
    return [name for name in dir(suite) if name.startswith("test_")]


ALL = list(classes())
SKIP = {"skipped"}
BROKEN = [(p, c, clause) for p, c in ALL for clause in c.breaks]
SOUND = [(path, kind) for path, kind in ALL if not kind.breaks]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory):
    """What became of each clause, in one run of pytest for all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "suites"
    try:
        folder.mkdir()
    except FileExistsError:
        wait_until((folder / "run.xml").exists, "the other worker", 280)
    else:
        run(folder)
    return {
        (case.get("classname", "").rpartition(".")[2], case.get("name")): {
            child.tag for child in case
        }
        - {"system-out", "system-err"}
        for case in ElementTree.parse(folder / "run.xml").iter("testcase")
    }


def run(folder):
    """Run pytest over all the files, and write what became of them to `run.xml`."""
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    options = ["-p", "no:cacheprovider", "--noconftest", "-q", "--tb=short"]
    options += ["--rootdir", str(folder), "-c", str(folder / "pytest.ini")]
    options += ["--import-mode=importlib", "--junitxml", str(folder / "new.xml")]
    names = [f"{path}::{kind.__name__}::{clause}" for path, kind, clause in BROKEN]
    names += [f"{path}::{kind.__name__}" for path, kind in SOUND]
    done = subprocess.run(
        [sys.executable, "-Im", "pytest", *options, *names],
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
        cwd=folder,
        env={
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "",  # may ask for plugins that are not loaded
        },
    )
    assert done.returncode == 1, done.stdout + done.stderr
    print(done.stdout)
    (folder / "new.xml").rename(folder / "run.xml")


@pytest.mark.parametrize(("kind", "clause"), [each[1:] for each in BROKEN])
def test_what_breaks_a_clause_is_seen(outcomes, kind, clause):
    """A clause fails on what breaks it."""
    assert outcomes[kind.__name__, clause] & {"failure", "error"}


@pytest.mark.parametrize("kind", [kind for _, kind in SOUND])
def test_what_is_sound_is_left_alone(outcomes, kind):
    """The same source, module or strategy, unbroken, keeps every clause it is asked."""
    red = {clause for clause in clauses(kind) if outcomes[kind.__name__, clause] - SKIP}

    assert red == set()


@pytest.mark.parametrize(
    "suite", [SourceContract, WritableSourceContract, ModuleContract, StrategyContract]
)
def test_every_clause_is_shown_red_and_green(outcomes, suite):
    """No clause is without something that breaks it, and something that keeps it."""
    shown = {clause for _, kind, clause in BROKEN if issubclass(kind, suite)}
    asked = {
        clause
        for _, kind in SOUND
        for clause in clauses(suite)
        if issubclass(kind, suite) and not outcomes[kind.__name__, clause]
    }
    if suite is WritableSourceContract:
        asked |= set(clauses(SourceContract))
        shown |= {c for _, kind, c in BROKEN if issubclass(kind, SourceContract)}

    assert set(clauses(suite)) == shown
    assert set(clauses(suite)) == asked
