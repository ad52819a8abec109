from __future__ import annotations

import subprocess
import sys


def test_importing_midflight_imports_neither_suites_nor_pytest():
    """`midflight.testing` and its pytest are for tests alone."""
    code = (
        "import sys, midflight, midflight_plugins.memory, midflight_plugins.env\n"
        "print({'pytest', 'midflight.testing'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "set()"
