"""The tables and the plot of the page on performance are made, not written."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

MEASURED = re.compile(
    r"\*\d{4}-\d\d-\d\d, commit \w+\+?, Python \S+, \d+ cores of .+, load [\d.]+\*"
)


def rows_of(block):
    """Return a table's rows as they were before they were written."""
    head, _, *lines = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in block.splitlines()
        if line.startswith("|")
    )
    return [dict(zip(head, line, strict=True)) for line in lines]


@pytest.fixture
def blocks(scripts):
    """Return what stands between the page's markers, by name."""
    found = scripts.page.BLOCK.findall(scripts.page.PAGE.read_text("utf-8"))
    return {name: inner for _, name, inner, _ in found}


@pytest.fixture
def run(scripts, machine, tmp_path: Path):
    """Return the results of a small run of one benchmark."""

    def row(count, way, p50):
        head = {"modules": count, "way": way, "writer": "rename", "n": 3}
        return head | {"min": p50, "p50": p50, "p99": p50, "x floor": 1.0, "lost": 0}

    rows = [
        row(10, "floor: inotify, callback only", 0.08),
        row(10, "midflight, the module reconfigured", 1.25),
        row(10_000, "floor: inotify, callback only", 0.08),
        row(10_000, "midflight, the module reconfigured", 3.5),
    ]
    table = {"title": "edits", "machine": machine, "rows": rows}
    path = tmp_path / "edit_to_module.json"
    path.write_text(json.dumps([table]))
    return scripts.results.Results(path)


def test_every_table_has_its_place(scripts, blocks):
    """What the script can write and what the page has room for are the same."""
    assert {*blocks} == {*scripts.page.TABLES, "pythons"}


def test_every_table_is_as_the_script_writes_it(scripts, blocks):
    """Nobody has changed a cell's width, a column, or the line on the machine."""
    odd = {}
    for name, inner in blocks.items():
        *table, measured = inner.strip().splitlines() or [""]
        if measured and (
            "\n".join(table).strip() != scripts.common.table(rows_of(inner))
            or not MEASURED.fullmatch(measured)
        ):
            odd[name] = inner

    assert odd == {}


def test_figures_come_from_the_run(scripts, run):
    """A table has the figures that were kept, with the machine they are from."""
    text = "<!-- table: edit -->\nold\n<!-- end -->\n"
    new = scripts.page.filled(text, run, [])

    [first, second] = rows_of(new)
    assert first == {
        "way": "floor: inotify, callback only",
        "10": "0.080",
        "10,000": "0.080",
        "p99, last": "0.080",
        "n, last": "3",
    }
    assert (second["10"], second["10,000"]) == ("1.25", "3.50")
    assert "*2030-01-02, commit abcdef0, Python 3.11.7" in new
    assert "old" not in new


def test_our_rows_say_what_was_lost(scripts, run):
    """An edit that did not arrive is not hidden behind the median of the others."""
    text = "<!-- table: ours -->\nold\n<!-- end -->\n"
    rows = rows_of(scripts.page.filled(text, run, []))

    assert {row["way"] for row in rows} == {"midflight"}
    assert {row["lost"] for row in rows} == {"0"}


def test_a_table_that_was_not_measured_stays(scripts, run):
    """A run of one benchmark leaves the tables of the others alone."""
    text = "<!-- table: reads -->\nold\n<!-- end -->\n"

    assert scripts.page.filled(text, run, []) == text


def test_pythons_stand_side_by_side(scripts, run):
    """Runs of several Pythons have a column each."""
    text = "<!-- table: pythons -->\n<!-- end -->\n"
    [row, *_] = rows_of(scripts.page.filled(text, run, [run]))

    assert row["figure"] == "midflight, the module reconfigured, 10 modules, ms"
    assert row["3.11.7"] == "1.25"


def test_the_plot_shows_every_way(scripts, run):
    """Each way has a line with a point for each size, and its name beside it."""
    picture = Xml.fromstring(scripts.page.picture(run))
    tags = [element.tag.partition("}")[2] for element in picture.iter()]
    said = [element.text for element in picture.iter() if element.tag.endswith("text")]

    assert tags.count("circle") == 4
    assert {"midflight", "floor: inotify", "10", "10,000"} <= {*said}


def test_names_in_the_plot_do_not_overlap(scripts):
    """However near the lines end, a label's height is between their names."""
    places = scripts.plot.apart([200.0] * 12 + [201.0, 455.0, 60.0])
    ordered = sorted(places)
    gaps = [two - one for one, two in itertools.pairwise(ordered)]

    assert min(gaps) >= scripts.plot.GAP
    assert ordered[0] >= scripts.plot.TOP
