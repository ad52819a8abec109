"""Says after a run which clauses of a contract are kept, as a table to be pasted."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

_MOST = 3  # classes whose verdict is printed unasked
_KEPT, _BROKEN, _UNASKED = "kept", "NOT KEPT", "not asked"
# Of each clause, by its place and its name, what became of it in each class.
_Clauses = dict[tuple[int, str], dict[str, str]]


class Verdict:
    """Collects what became of the clauses of each class that inherits a contract."""

    def __init__(self, config: pytest.Config) -> None:
        self._wanted = config.getoption("midflight_verdict")
        self._file = config.getoption("midflight_verdict_file")
        self._folder = config.invocation_params.dir
        self._contracts: dict[str, _Clauses] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Write on the report which clause it is about; so it comes from a worker."""
        report = yield
        if (clause := _clause_of(item)) is not None:
            vars(report)["midflight_clause"] = clause
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a report says of its clause."""
        if (clause := vars(report).get("midflight_clause")) is None:
            return
        contract, place, name = clause
        owner = report.nodeid.rpartition("::")[0]
        rows = self._contracts.setdefault(contract, {}).setdefault((place, name), {})
        rows[owner] = _worse(rows.get(owner, ""), _said(report))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the tables, if they are asked for or few; write them to the file."""
        owners = {
            owner
            for clauses in self._contracts.values()
            for rows in clauses.values()
            for owner in rows
        }
        if not owners:
            return
        lines = [line for each in self._contracts.items() for line in _table(*each)]
        if self._file:
            path = Path(self._folder, self._file)
            path.write_text("\n".join(lines), encoding="utf-8")
        if self._wanted or len(owners) <= _MOST:
            terminalreporter.section("contracts of Midflight", sep="-")
            for line in lines:
                terminalreporter.line(line)


def _clause_of(item: pytest.Item) -> tuple[str, int, str] | None:
    """Return the contract, and place and name of the clause that a test stands for."""
    kind, test = getattr(item, "cls", None), getattr(item, "originalname", "")
    for base in getattr(kind, "__mro__", ()):
        if base.__module__.startswith("midflight.testing."):
            tests = dict.fromkeys(name for each in base.__mro__ for name in vars(each))
            if test in tests:
                name = test.removeprefix("test_").replace("_", " ")
                return base.__name__, [*tests].index(test), name
    return None


def _said(report: pytest.TestReport) -> str:
    if report.failed:
        return _BROKEN
    if report.skipped:
        why = report.longrepr
        text = why[2] if isinstance(why, tuple) else str(why)
        return f"{_UNASKED}: {text.removeprefix('Skipped: ')}"
    return _KEPT if report.when == "call" else ""


def _worse(one: str, other: str) -> str:
    """Return what two runs of one clause say together."""
    said = {one, other}
    return next((each for each in (_BROKEN, _KEPT) if each in said), one or other)


def _table(contract: str, clauses: _Clauses) -> Iterator[str]:
    """Yield the lines of a table in Markdown, as wide as it has to be."""
    owners = list(dict.fromkeys(owner for rows in clauses.values() for owner in rows))
    head = [contract, *(owner.rpartition("::")[2] for owner in owners)]
    body = [
        [name, *(rows.get(owner, "") for owner in owners)]
        for (_, name), rows in sorted(clauses.items())
    ]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    yield _row(head, widths)
    yield _row(["-" * width for width in widths], widths)
    for cells in body:
        yield _row(cells, widths)
    yield ""
    said = [cell for cells in body for cell in cells[1:]]
    counts = (
        f"{sum(cell.startswith(what) for cell in said)} {what.lower()}"
        for what in (_KEPT, _BROKEN, _UNASKED)
    )
    yield ", ".join(counts)
    yield ""


def _row(cells: list[str], widths: list[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
