"""`nox -s paths` runs the tests with other variables, and they reach the tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

SESSION = Path(__file__).parents[2].joinpath("noxfile.py").read_text("utf-8")
NAMES = re.findall(r"\b(MIDFLIGHT_\w+)=", SESSION.partition("def paths(")[2])
GIVEN = {name: os.environ.get(name) for name in NAMES}  # before any test has begun


def test_a_variable_of_the_session_stays():
    """What turns a fast path off is not taken away, as other settings are."""
    assert {name: os.environ.get(name) for name in NAMES} == GIVEN


def test_the_session_reaches_the_tests(root):
    """The same holds where the variables are set: else the session proves nothing."""
    test = f"{__file__}::{test_a_variable_of_the_session_stays.__name__}"
    done = subprocess.run(
        [sys.executable, "-Im", "pytest", "-q", "-p", "no:cacheprovider", test],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env=os.environ | dict.fromkeys(NAMES, "1"),
        timeout=50,
    )

    assert NAMES == ["MIDFLIGHT_FULL_PARSE", "MIDFLIGHT_YAML"]
    assert done.returncode == 0, done.stdout
