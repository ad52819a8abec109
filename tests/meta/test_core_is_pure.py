"""The core takes time, chance and threads from outside, and imports next to nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

ALLOWED = {"midflight", "pluggy", "attrs", *sys.stdlib_module_names}
HEAVY = ["asyncio", "cattrs", "ruamel", "sqlalchemy", "uvicorn", "watchdog"]
CLOCKS = {"time", "random"}
STARTERS = {"Thread", "Timer"}
NOW = {"now", "utcnow", "today"}


def imports(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and imported name (or none) of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, module, alias.name) for alias in node.names)


def impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of everything that reads a clock, dice or starts a thread."""
    for line, module, name in imports(tree):
        if module in CLOCKS or (module == "threading" and name in STARTERS):
            yield line, f"import {module} {name}".strip()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = node.value.id
            if (owner == "threading" and node.attr in STARTERS) or (
                owner in {"datetime", "date"} and node.attr in NOW
            ):
                yield node.lineno, f"{owner}.{node.attr}"


def loaded_after(code: str) -> set[str]:
    """Run `code` in a fresh interpreter and return the top-level modules loaded."""
    tail = "\nimport sys; print('\\nLOADED', *{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code + tail],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


def test_core_imports_pluggy_attrs_and_the_standard_library_only(core):
    """No file of the core imports anything else, not even inside a function."""
    foreign = [
        f"{each.name}:{line}: {module}"
        for each in core
        for line, module, _ in imports(each.tree)
        if module.partition(".")[0] not in ALLOWED
    ]

    assert foreign == []


def test_core_takes_time_chance_and_threads_from_system(core):
    """Only `_system.py` touches a clock, the random module or a thread's start."""
    impure = [
        f"{each.name}:{line}: {what}"
        for each in core
        if each.name != "core/midflight/_system.py"
        for line, what in impurities(each.tree)
    ]

    assert impure == []


@pytest.mark.parametrize(
    "code",
    [
        "import time",
        "from time import monotonic",
        "def f():\n    import random",
        "from threading import Thread",
        "import threading\nthreading.Timer(1, f)",
        "import datetime\ndatetime.datetime.now()\ndatetime.now()",
    ],
)
def test_a_bare_clock_is_seen(code):
    """The check above can fail: it sees each way to the clock, the dice, a thread."""
    assert list(impurities(ast.parse(code)))


def test_importing_midflight_loads_no_heavy_library():
    """`import midflight` costs neither an event loop nor a plugin's library."""
    loaded = loaded_after("import midflight")

    assert "midflight" in loaded
    assert loaded.isdisjoint([*HEAVY, "click"])


def test_help_loads_no_heavy_library():
    """`midflight --help` answers without the libraries of the plugins."""
    loaded = loaded_after(
        "import sys\n"
        "sys.argv = ['midflight', '--help']\n"
        "from midflight_plugins.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )

    assert "midflight_plugins" in loaded
    assert loaded.isdisjoint(HEAVY)
