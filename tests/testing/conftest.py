"""Runs of pytest in a run of pytest."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.fixture
def run(tmp_path):
    """Runs pytest on a file of this text, with the plugin and few others."""

    def run(text, *options):
        file = tmp_path / "test_it.py"
        lines = text.splitlines()
        file.write_text("\n".join(line.removeprefix("    ") for line in lines))
        given = ["-p", "midflight.testing._plugin", "-p", "no:cacheprovider"]
        return subprocess.run(
            [sys.executable, "-Im", "pytest", *given, "-W", "error", *options, file],
            check=False,
            capture_output=True,
            text=True,
            timeout=50,
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTEST_ADDOPTS": "",  # may ask for plugins that are not loaded
            },
        ).stdout

    return run
