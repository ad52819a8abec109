"""The core takes time, chance and threads from outside, and imports next to nothing."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

import pytest

ALLOWED = {"midflight", "pluggy", "attrs", *sys.stdlib_module_names}
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
