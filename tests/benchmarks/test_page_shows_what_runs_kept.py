"""The tables and the plot of the page on performance are made, not written."""

from __future__ import annotations

import itertools
import json
import re
from xml.etree import ElementTree as Xml

import pytest

MEASURED = re.compile(
    r"\*\d{4}-\d\d-\d\d(, a quick run)?, commit \w+\+?, "
    r"Python \S+, \d+ cores of .+, load [\d.]+\*"
)
PYTHONS = "<!-- table: pythons -->\n<!-- end -->\n"


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
        "n": "3, 3",
    }
    assert (second["10"], second["10,000"]) == ("1.25", "3.50")
    assert "*2030-01-02, commit abcdef0, Python 3.11.7" in new
    assert "old" not in new


@pytest.mark.parametrize("quick", [True, False])
def test_a_quick_run_is_said_to_be_one(scripts, another, quick):
    """The line below a table says if there were fewer repetitions."""
    text = "<!-- table: edit -->\n<!-- end -->\n"
    new = scripts.page.filled(text, another(quick=quick), [])

    assert ("2030-01-02, a quick run, commit" in new) is quick


def test_the_last_size_has_more_figures(scripts, another):
    """Where sizes have a column each, p99 and the ratio of the largest stay."""
    row = {"what": "load", "way": "midflight", "p50": 1.0}
    rows = [
        row | {"modules": 10, "p99": 2.0, "x naive": 0.5},
        row | {"modules": 1_000, "p99": 3.0, "x naive": 0.25},
    ]
    [shown] = scripts.page.document(another({"document": rows}))

    assert (shown["10"], shown["1,000"]) == ("1.00", "1.00")
    assert (shown["p99, last"], shown["x naive, last"]) == ("3.00", "0.250")


def test_a_look_that_finds_nothing_has_its_row(scripts, machine, tmp_path):
    """It is not mixed with the look after a change; older runs are left out."""
    one = {"modules": 10, "what": "nothing changed", "n": 9, "p50": 0.25, "p99": 0.5}
    found = []
    for rows in ([one], [{"modules": 10, "nothing changed, p50": 2.0}]):
        table = {"title": "One changed module", "machine": machine, "rows": rows}
        (tmp_path / "hooks.json").write_text(json.dumps([table]))
        found.append(scripts.page.passes(scripts.results.Results(tmp_path)))

    assert found == [
        [{"what": "nothing changed", "10": "0.250", "p99, last": "0.500"}],
        [],
    ]


def test_all_tables_have_one_pace(scripts, another):
    """What is allowed in several tables is counted at the pace of the whole run."""
    row = {"changed": 10_000, "way": "midflight: reconfigure", "p50": 1.0}
    store = {"store": "redis", "way": "midflight", "allowed": 3.0, "at its pace": 9.0}
    run = another({"changes": [row], "stores": [store]}, pace=2.5)
    [_, allowed] = scripts.page.changes(run)
    [source] = scripts.page.stores(run)

    assert allowed["10,000"] == "750"
    assert source["at its pace"] == "6.00"


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


def test_a_further_table_is_found_by_its_title(scripts, machine, tmp_path):
    """Where PostgreSQL is missing, the calls are the second table, not the fourth."""
    rows = {"From a commit": [{"way": "a"}], "Calls beside": [{"call": "put", "n": 9}]}
    tables = [{"title": k, "machine": machine, "rows": v} for k, v in rows.items()]
    (tmp_path / "database.json").write_text(json.dumps(tables))
    _, made = scripts.page.TABLES["calls"]

    [row] = made(scripts.results.Results(tmp_path))
    assert (row["call"], row["n"]) == ("put", "9")


def test_pythons_stand_side_by_side(scripts, run, another):
    """Runs of several Pythons have a column each."""
    later = [another(python="3.13.0")]
    [row, *_] = rows_of(scripts.page.filled(PYTHONS, run, later))

    assert row["figure"] == "midflight, the module reconfigured, 10 modules, ms"
    assert (row["3.11.7"], row["3.13.0"]) == ("1.25", "1.25")


def test_pythons_are_of_one_commit(scripts, run, another, capsys):
    """A run of another commit is named and left out; changed files do not matter."""
    later = [another(python="3.12.1", commit="fedcba9")]
    later += [another(python="3.13.0", commit="abcdef0+")]
    [row, *_] = rows_of(scripts.page.filled(PYTHONS, run, later))

    assert [*row] == ["figure", "3.11.7", "3.13.0"]
    assert "left out, it is of another commit" in capsys.readouterr().out


def test_pythons_of_before_do_not_stay_beside_a_new_run(scripts, run, another):
    """A run that has all of these figures takes the table's place, a part does not."""
    row = {"way": "caddy", "read": "caddy", "program": "caddy", "n": 0}
    whole = another({name: [row] for name in ("changes", "reads", "start")})

    assert scripts.page.filled(PYTHONS, run, []) == PYTHONS
    assert "3.11.7" in scripts.page.filled(PYTHONS, whole, [])


def test_what_is_allowed_is_no_figure_of_ours(scripts, another):
    """What Pythons are compared by does not hold the machine's pace."""
    way = "allowed: 300 ms, at the pace of this machine"
    row = {"changed": 10_000, "way": way, "n": 3, "p50": 600.0}

    assert not any(
        "allowed" in name for name in scripts.page.figures(another({"changes": [row]}))
    )


def test_a_restart_says_with_which_parser(scripts, another):
    """Rows of the run in pure Python stand below the others, and say so."""
    rows = [{"modules": 10, "what": "load", "way": "parsed in full", "n": 1, "p50": 2}]
    run = another(
        {"restart": rows, "restart-pure": rows}, versions={"ruamel.yaml.clib": "0.2"}
    )

    table = scripts.page.restart(run)
    assert [(row["parser"], row["n"]) for row in table] == [("C", "1"), ("pure", "1")]


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
