"""What was set stands beside what was measured, whether it was met or not."""

from __future__ import annotations

import re

import pytest

EDIT = "midflight, the module reconfigured"


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (2.0, "as written"),
        (5.0, "at this pace"),
        (5.1, "missed"),
        (None, "not measured"),
    ],
)
def test_a_target_is_met_or_missed(scripts, measured, said):
    """It may be met as written, or only at the pace of the machine."""
    assert scripts.targets.verdict(2.0, 5.0, measured) == said


def test_the_pace_is_that_of_the_run(scripts, another):
    """Times are allowed at the pace of the machine, ratios are not."""
    rows = [{"way": "allowed: 300 ms, at the pace", "n": 3, "p50": 600.0}]
    parts = {name: [{"n": 0}] for name in scripts.targets.PARTS[2:]}
    found = scripts.targets.rows(another({"changes": rows, **parts}))
    [first] = [row for row in found if row["target"].endswith(", 10 modules, ms")]
    [ratio] = [row for row in found if row["target"].endswith("10,000 modules : 10")]

    assert [*first.values()][1:] == ["1.25", "2", "4.00", "as written"]
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
