"""The figures the code is held to; see CONTRIBUTING."""

from __future__ import annotations

import ast
import re
import statistics

import pytest

MODULE_LINES = 350
FUNCTION_LINES = 60
SUPPRESSION = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore)(?P<rest>.*)")
WORDS = {"errors.py", "hookspecs.py"}  # what the contract is written in
REASONED = re.compile(r"^(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[\w,\s-]+\])\s+#\s*\S+")


def suppressions(text):
    """Return line number and tail of every comment that silences a tool."""
    return [
        (number, found["rest"])
        for number, line in enumerate(text.splitlines(), 1)
        if (found := SUPPRESSION.search(line))
    ]


def lines_of(node):
    """Return the numbers of the lines that a node takes."""
    return range(node.lineno, node.end_lineno + 1)


def statements(function):
    """Return how many lines a function takes without its docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    first = function.body[0]
    return lines - (first.end_lineno - first.lineno + 1)


def logical_lines(tree):
    """Return how many statements a file has, docstrings and imports left out.

    Unlike physical lines, the count does not depend on how a formatter folds a call.
    """
    silent = (ast.Import, ast.ImportFrom)
    return sum(
        isinstance(node, ast.stmt)
        and not isinstance(node, silent)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in ast.walk(tree)
    )


def imported(core):
    """Return the names of the core's own files that other files of it import."""
    found = set()
    for each in core:
        for node in ast.walk(each.tree):
            if isinstance(node, ast.ImportFrom) and node.module == "midflight":
                found |= {f"{alias.name}.py" for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(f"{node.module.removeprefix('midflight.')}.py")
            elif isinstance(node, ast.Import):
                found |= {f"{a.name.removeprefix('midflight.')}.py" for a in node.names}
    return found


@pytest.fixture(scope="session")
def sizes(core):
    """Return how many statements each file of the core has, by its name."""
    return {each.name.rpartition("/")[2]: logical_lines(each.tree) for each in core}


def test_core_is_small(core, sizes):
    """What decides and acts, every private file and the doors, is read in an afternoon.

    Apart are the words of the contract, and what serves authors of plugins and no
    file of the core imports.
    """
    doors = {"__init__.py", "__main__.py"}
    private = {name for name in sizes if name.startswith("_")}
    aside = sizes.keys() - imported(core) - doors

    assert aside == {"following.py"}
    assert sizes.keys() == private | WORDS | aside
    assert private > doors | {"_runtime.py", "_transaction.py"}
    assert sum(sizes[name] for name in private) < 2000


def test_words_of_the_contract_are_few(sizes):
    """Errors and hooks, which every author of a plugin reads, do not grow unseen."""
    assert 0 < sum(sizes[name] for name in WORDS) < 180


def test_modules_are_short(source):
    """Each file holds one concept."""
    long = {
        each.name: lines
        for each in source
        if (lines := len(each.text.splitlines())) > MODULE_LINES
    }

    assert long == {}


def test_functions_are_short(source):
    """No function, its docstring included, fills more than a screen."""
    long = {
        f"{each.name}:{function.name}": lines
        for each in source
        for function in each.functions()
        if (lines := function.end_lineno - function.lineno + 1) > FUNCTION_LINES
    }

    assert long == {}


@pytest.mark.parametrize("package", ["core/", "plugins/"])
def test_most_functions_are_a_few_lines(source, package):
    """Half of the functions have at most 8 lines, nine of ten at most 22."""
    sizes = sorted(
        statements(function)
        for each in source
        if each.name.startswith(package)
        for function in each.functions()
    )

    assert statistics.median(sizes) <= 8
    assert sizes[int(len(sizes) * 0.9)] <= 22


def test_tools_are_rarely_silenced(source):
    """At most 7 suppressions stand in 1,000 lines."""
    lines = sum(len(each.text.splitlines()) for each in source)
    count = sum(len(suppressions(each.text)) for each in source)

    assert count / lines * 1000 <= 7


def test_every_suppression_has_a_code_and_a_reason(source):
    """Who silences a tool says which rule, and why."""
    bare = [
        f"{each.name}:{number}"
        for each in source
        for number, rest in suppressions(each.text)
        if not REASONED.match(rest)
    ]

    assert bare == []


@pytest.mark.parametrize(
    ("line", "reasoned"),
    [
        ("x = 1  # noqa", False),
        ("x = 1  # noqa: E501", False),
        ("x = 1  # noqa: A001  # the contract's name", True),
        ("x = 1  # type: ignore[misc]", False),
        ("x = 1  # type: ignore[misc]  # attrs writes it", True),
    ],
)
def test_a_bare_suppression_is_seen(line, reasoned):
    """The check above can fail: a code without a reason is not enough."""
    [(_, rest)] = suppressions(line)

    assert bool(REASONED.match(rest)) is reasoned
