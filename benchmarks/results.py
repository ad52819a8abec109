"""Read what runs have kept: tables by part and title."""

from __future__ import annotations

import argparse
import json
import pathlib

# What stands in a row about the figures, and not about what was measured.
FIRST_FIGURE = "n"
PROFILE = {"function", "own, ms"}  # columns of tables that say where time goes
FOUND = {"large libraries it imports"}  # columns of texts that were found, as figures
PAIR = {"min", "p50"}  # compared together
# What follows from the rows of others, or is said by what is not ours.
ELSEWHERE = {"allowed", "at its pace", "the modules' own, p50"}


class Results:
    """The tables of one run.

    Args:
        paths: folders of a run, or files of it; later ones win.

    Raises:
        OSError: there is no such file.
        ValueError: a file has no results, or none has.
    """

    def __init__(self, *paths: pathlib.Path) -> None:
        self._tables: dict[str, list[dict]] = {}
        for path in paths:
            files = sorted(path.glob("*.json")) if path.is_dir() else [path]
            for file in files:
                try:
                    tables = json.loads(file.read_text("utf-8"))
                except ValueError as exc:
                    raise ValueError(f"no results of a run: {file}: {exc}") from exc
                if not tables or not isinstance(tables, list):
                    raise ValueError(f"no results of a run: {file}")
                self._tables[file.stem] = tables
        if not self._tables:
            raise ValueError(f"no results in {', '.join(map(str, paths))}")

    @property
    def parts(self) -> list[str]:
        """The benchmarks that it has."""
        return [*self._tables]

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


def read(parser: argparse.ArgumentParser, *paths: pathlib.Path) -> Results:
    """Return what is kept there; end the program, with a sentence, if nothing is."""
    try:
        return Results(*paths)
    except (OSError, ValueError) as exc:
        parser.error(str(exc))


def identity(row: dict) -> tuple:
    """Return what tells a row from the others of its table."""
    if FIRST_FIGURE in row:
        return tuple(row.values())[: list(row).index(FIRST_FIGURE)]
    return tuple(
        value
        for at, (name, value) in enumerate(row.items())
        if name not in FOUND
        and (isinstance(value, str) or (at == 0 and isinstance(value, int)))
    )


def figures(row: dict) -> list[dict[str, float]]:
    """Return what to compare: `min` and `p50` together, all else by itself."""
    if not row.get(FIRST_FIGURE, 1):
        return []
    alone = {
        name: value
        for name, value in row.items()
        if isinstance(value, float)
        and name not in ELSEWHERE
        and "x " not in name
        and "%" not in name
    }
    both = {name: alone.pop(name) for name in (*alone,) if name in PAIR}
    return [both] * bool(both) + [{name: alone[name]} for name in alone]
