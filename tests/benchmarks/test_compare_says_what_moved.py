"""Two runs are compared without what the machine did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def kept(scripts, machine, tmp_path: Path):
    """Return a function that keeps a run of a table and gives its results."""

    def keep(name, *, ours, others, ours_min=None):
        def row(way, p50, least):
            return {"way": way, "n": 9, "min": least, "p50": p50, "p99": 9.0}

        rows = [row("midflight", ours, ours if ours_min is None else ours_min)]
        rows += [row(f"watchfiles {at}", others, others) for at in range(3)]
        folder = tmp_path / name
        folder.mkdir()
        table = {"title": "edits, ms", "machine": machine, "rows": rows}
        (folder / "edits.json").write_text(json.dumps([table]))
        return scripts.results.Results(folder)

    return keep


def test_a_slower_machine_is_not_our_doing(scripts, kept):
    """If floors and peers take twice as long as well, nothing of ours has moved."""
    old, new = kept("old", ours=1.0, others=10.0), kept("new", ours=2.0, others=20.0)

    assert scripts.compare.moved(old, new, 1.15) == []


def test_what_moved_by_itself_is_named(scripts, kept):
    """A row of ours that moved more than the machine did is listed, and which way."""
    old, new = kept("old", ours=1.0, others=10.0), kept("new", ours=3.0, others=20.0)
    [row] = scripts.compare.moved(old, new, 1.15)
    [back] = scripts.compare.moved(new, old, 1.15)

    assert (row["what"], row["ours"], row[""]) == ("midflight", 1.5, "more")
    assert (back["ours"], back[""]) == (pytest.approx(2 / 3), "less")


def test_one_figure_alone_is_noise(scripts, kept):
    """A median that moved while the minimum stayed is not listed."""
    old = kept("old", ours=1.0, others=10.0)
    new = kept("new", ours=2.0, ours_min=1.0, others=10.0)

    assert scripts.compare.moved(old, new, 1.15) == []


def test_what_takes_microseconds_says_nothing_of_the_machine(scripts, kept):
    """Floors of less than a millisecond may double, and nothing of ours is listed."""
    old, new = kept("old", ours=9.0, others=0.1), kept("new", ours=9.0, others=0.2)

    assert scripts.compare.moved(old, new, 1.15) == []
