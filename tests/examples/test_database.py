"""Two processes follow one document, on every database."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def demo(root):
    """Return the demo of the example; another example has one of the same name."""
    path = root / "examples/database/demo.py"
    spec = importlib.util.spec_from_file_location("database_demo", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def midflight(*words):
    """Run one command."""
    command = [Path(sys.executable).with_name("midflight"), *words]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.mark.xdist_group("pages")
def test_two_processes_follow_one_document(demo, database_url, monkeypatch, tmp_path):
    """A put reaches both, and so does the way back; nothing is left in the home."""
    lines: list[str] = []
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONFIG_DATABASE", database_url)
    uri = "database:${CONFIG_DATABASE}"
    midflight("db", "upgrade", uri)
    demo.play(lines.append, uri)
    told = "\n".join(lines)

    assert not (tmp_path / "home").exists()
    each = r".*one: api allows {0} .*two: api allows {0} "
    story = "".join(each.format(rate) for rate in (10, 25, 10))
    assert re.search(story, told, re.DOTALL), told
    assert re.search(r"the sale is over.*more for the sale.*the first", told, re.DOTALL)
