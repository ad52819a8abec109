"""The scripts of the suite, imported as they import each other."""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

NAMES = ("common", "compare", "losses", "page", "plot", "results", "run", "targets")
MORE = ("changes", "shared")  # what these import


@pytest.fixture(scope="session")
def folder(root: Path) -> Path:
    """Return where the scripts are."""
    return root / "benchmarks"


@pytest.fixture(scope="session")
def scripts(folder: Path) -> SimpleNamespace:
    """Return some of them by name; their names are free again afterwards."""
    with mock.patch.object(sys, "path", [str(folder), *sys.path]):
        found = {name: importlib.import_module(name) for name in NAMES}
    for name in NAMES + MORE:
        del sys.modules[name]
    return SimpleNamespace(**found)


@pytest.fixture
def machine() -> dict[str, object]:
    """Return what a run says of the machine it was made on."""
    return {
        "at": "2030-01-02T03:04:05+00:00",
        "commit": "abcdef0",
        "python": "3.11.7",
        "system": "Linux",
        "processor": "one of ours",
        "cores": 2,
        "load": 0.1,
        "versions": {"midflight": "1"},
    }


@pytest.fixture
def run(scripts, machine, tmp_path: Path):
    """Return the results of a small run of one benchmark."""

    def row(count, way, p50):
        head = {"modules": count, "way": way, "writer": "rename", "n": 3}
        return head | {"min": p50, "p50": p50, "p99": p50, "x floor": 1.0, "lost": 0}

    rows = [
        row(10, "floor: inotify, callback only", 0.08),
        row(10, "midflight, the module reconfigured", 1.25),
        row(10_000, "floor: inotify, callback only", 0.08),
        row(10_000, "midflight, the module reconfigured", 3.5),
    ]
    table = {"title": "edits", "machine": machine, "rows": rows}
    path = tmp_path / "edit_to_module.json"
    path.write_text(json.dumps([table]))
    return scripts.results.Results(path)


@pytest.fixture
def another(scripts, run, machine, tmp_path: Path):
    """Return a function that makes another run: with more tables, of another place."""
    made = itertools.count()

    def make(tables=(), **where):
        folder = tmp_path / str(next(made))
        folder.mkdir()
        for name, rows in {
            "edit_to_module": run.rows("edit_to_module"),
            **dict(tables),
        }.items():
            table = {"title": name, "machine": machine | where, "rows": rows}
            (folder / f"{name}.json").write_text(json.dumps([table]))
        return scripts.results.Results(folder)

    return make
