"""Read what runs have kept: tables by part and title."""

from __future__ import annotations

import json
import pathlib

# What stands in a row about the figures, and not about what was measured.
FIRST_FIGURE = "n"
PROFILE = {"function", "own, ms"}  # columns of tables that say where time goes


class Results:
    """The tables of one run.

    Args:
        paths: folders of a run, or files of it; later ones win.
    """

    def __init__(self, *paths: pathlib.Path) -> None:
        self._tables: dict[str, list[dict]] = {}
        for path in paths:
            files = sorted(path.glob("*.json")) if path.is_dir() else [path]
            for file in files:
                self._tables[file.stem] = json.loads(file.read_text("utf-8"))
        if not self._tables:
            raise SystemExit(f"no results in {', '.join(map(str, paths))}")

    def __iter__(self):
        """Yield part, title and rows of each table."""
        for part, tables in self._tables.items():
            for table in tables:
                yield part, table["title"], table["rows"]

    def rows(self, part: str, at: int = 0) -> list[dict]:
        """Return the rows of a part's table, none if it was not measured."""
        tables = self._tables.get(part, [])
        return tables[at]["rows"] if at < len(tables) else []

    def machine(self, part: str = "") -> dict:
        """Return what a part, or the first of them, was measured on."""
        name = part if part in self._tables else next(iter(self._tables))
        return self._tables[name][0]["machine"]


def identity(row: dict) -> tuple:
    """Return what tells a row from the others of its table."""
    if FIRST_FIGURE in row:
        return tuple(row.values())[: list(row).index(FIRST_FIGURE)]
    return tuple(
        value
        for at, value in enumerate(row.values())
        if isinstance(value, str) or (at == 0 and isinstance(value, int))
    )


def figures(row: dict) -> list[dict[str, float]]:
    """Return what to compare: `min` and `p50` together, or each figure by itself."""
    if PROFILE & {*row} or not row.get(FIRST_FIGURE, 1):
        return []
    both = {name: row[name] for name in ("min", "p50") if name in row}
    if both:
        return [both]
    return [
        {name: value}
        for name, value in row.items()
        if isinstance(value, float) and "x " not in name and "%" not in name
    ]
