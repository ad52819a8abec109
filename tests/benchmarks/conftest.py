"""The scripts of the suite, imported as they import each other."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

NAMES = ("common", "compare", "page", "plot", "results", "run")


@pytest.fixture(scope="session")
def folder(root: Path) -> Path:
    """Return where the scripts are."""
    return root / "benchmarks"


@pytest.fixture(scope="session")
def scripts(folder: Path) -> SimpleNamespace:
    """Return some of them by name; their names are free again afterwards."""
    with mock.patch.object(sys, "path", [str(folder), *sys.path]):
        found = {name: importlib.import_module(name) for name in NAMES}
    for name in NAMES:
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
