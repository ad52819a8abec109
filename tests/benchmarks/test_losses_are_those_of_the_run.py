"""Where something else is ahead, the page says so by the figures of the run alone."""

from __future__ import annotations

import json

import pytest

FLOOR = {"database": "SQLite", "modules": 10, "way": "floor, callback only", "p50": 2.0}
OURS = FLOOR | {"way": "midflight, the module"}


@pytest.fixture
def losses_of(scripts, machine, tmp_path):
    """Return a function that gives the losses of a run of databases."""

    def losses(*rows):
        path = tmp_path / "database.json"
        table = {"title": "commits", "machine": machine, "rows": rows}
        path.write_text(json.dumps([table]))
        return scripts.losses.rows(scripts.results.Results(path))

    return losses


def test_what_is_ahead_has_a_row(losses_of):
    """It says which that is, and how many times."""
    [row] = losses_of(FLOOR, OURS | {"p50": 5.0})

    assert row == {
        "what": "commit, SQLite, ms, 10 modules",
        "ours": "5.00",
        "the other": "2.00",
        "x": "2.50",
        "which is": "floor, callback only",
    }


@pytest.mark.parametrize("rows", [[FLOOR, OURS], [FLOOR, OURS | {"p50": 1.0}], [OURS]])
def test_what_is_not_ahead_has_none(losses_of, rows):
    """Level, behind, or not measured: nothing is said."""
    assert losses_of(*rows) == []


def test_each_loss_looks_for_rows_that_there_are(scripts):
    """A renamed way does not silently take a loss off the page."""
    text = scripts.page.PAGE.read_text("utf-8")
    shown = text.partition("<!-- table: losses -->")[0]
    sought = {
        value
        for loss in scripts.losses.LOSSES
        for value in {*loss.ours.values(), *loss.other.values()}
    }

    assert {
        each for each in sought - {"rename", "its API"} if each not in shown
    } == set()
