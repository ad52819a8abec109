"""What was set stands beside what was measured, whether it was met or not."""

from __future__ import annotations

import json
import re
import sys

import pytest

EDIT = "midflight, the module reconfigured"


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (2.0, "as written"),
        (4.0, "at this pace"),
        (4.1, "undecided"),
        (5.0, "undecided"),
        (5.1, "missed"),
        (None, "not measured"),
    ],
)
def test_a_target_is_met_or_missed(scripts, measured, said):
    """It may be met as written, or at the pace of the machine, or who knows."""
    assert scripts.targets.verdict(2.0, 4.0, 5.0, measured) == said


def test_the_pace_is_that_of_the_run(scripts, another):
    """Times are allowed at the pace of the machine, ratios are not."""
    parts = {name: [{"n": 0}] for name in scripts.targets.PARTS[1:]}
    found = scripts.targets.rows(another(parts, pace=2.0))
    [first] = [row for row in found if row["target"].endswith(", 10 modules, ms")]
    [ratio] = [row for row in found if row["target"].endswith("10,000 modules : 10")]

    assert [*first.values()][1:] == ["1.25", "2", "4.00 (4.00 to 4.00)", "as written"]
    assert [*ratio.values()][1:] == ["2.80", "4", "4.00", "as written"]
    assert "not measured" in {row["met"] for row in found}


def test_of_several_rows_the_worst_counts(scripts, another):
    """What is missed by one writer is not hidden by another."""
    row = {"modules": 10, "way": EDIT, "n": 1}
    rows = [row | {"x floor + item": each} for each in (1.5, 2.5, 1.0)]
    [target, *_] = (
        each for each in scripts.targets.TARGETS if each.figure == "x floor + item"
    )

    assert target.measured(another({"edit_to_module": rows})) == 2.5


def test_each_script_takes_the_pace_before_it_begins(scripts, monkeypatch, tmp_path):
    """It is the time for a byte, once, in a process of its own, and is kept."""
    common = scripts.common
    (tmp_path / "pace.py").write_text("print(2 * 0.507 / 180_000)")
    monkeypatch.setattr(common, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["script", "--json", "kept.json"])
    common.pace.cache_clear()
    common.arguments("A script.")
    (tmp_path / "pace.py").unlink()

    assert common.machine()["pace"] == pytest.approx(2.0)
    common.pace.cache_clear()


def test_the_pace_is_one_for_the_run_with_its_spread(scripts, machine, tmp_path):
    """Each script took it before it began; the median counts, the others are said."""
    for name, pace in zip(scripts.targets.PARTS, (2, 2, 2, 2, 2, 1.5, 3), strict=True):
        row = {"way": EDIT, "writer": "rename", "modules": 10, "n": 9, "p50": 3.5}
        table = {"title": name, "machine": machine | {"pace": pace}, "rows": [row]}
        (tmp_path / f"{name}.json").write_text(json.dumps([table]))
    first, edit, *_ = scripts.targets.rows(scripts.results.Results(tmp_path))

    assert first["measured"] == "2 (1.50 to 3)"
    assert (edit["at this pace"], edit["met"]) == ("4 (3.00 to 6)", "undecided")


def test_targets_of_a_run_that_has_no_pace_stay(scripts, another):
    """An older run took it otherwise: its table is not made anew."""
    parts = {name: [{"n": 0}] for name in scripts.targets.PARTS[1:]}

    assert scripts.targets.rows(another(parts)) == []


def test_a_p99_stands_beside_its_own_p50(scripts, another):
    """The ratio is that of one row, and the worst size counts."""
    row = {"way": EDIT, "writer": "rename", "n": 9}
    rows = [
        row | {"modules": 10, "p50": 1.0, "p99": 4.0},
        row | {"modules": 1_000, "p50": 4.0, "p99": 5.0},
    ]
    [target] = (each for each in scripts.targets.TARGETS if each.over)

    assert target.measured(another({"edit_to_module": rows})) == 4.0


def test_targets_wait_for_all_of_their_parts(scripts, run):
    """A run of one benchmark does not take the place of the table."""
    assert scripts.targets.rows(run) == []


def test_targets_are_about_rows_that_there_are(scripts, folder):
    """Each name that a target looks for is one that its script uses."""
    for target in scripts.targets.TARGETS:
        text = (folder / f"{target.part}.py").read_text().replace("_000", "000")
        names = [value for value in target.like.values() if isinstance(value, str)]
        pieces = [piece for name in names for piece in re.split(", |: ", name)]

        assert [piece for piece in pieces if piece not in text] == []
        assert not target.figure.startswith("x ") or target.figure in text
