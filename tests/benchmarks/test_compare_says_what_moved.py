"""Two runs are compared without what the machine did."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import pytest

OURS = {"way": "midflight", "n": 9, "min": 1.0, "p50": 1.0, "p99": 2.0, "lost": 0}
PASS = {"modules": 10, "p50": 1.0, "whole pass, p50": 1.5, "nothing changed, p50": 0.5}
LIBRARIES, RSS = "large libraries it imports", "peak RSS, MB"
IMPORTED = {"program": "import midflight", LIBRARIES: "none"}
WAKES, CPU = "wakes a minute", "CPU, ms a minute"
IDLE = {"way": "midflight", "s": 10, CPU: 10.0, WAKES: 30.0, RSS: 30.0}
RESIDENT = {"program": "midflight check", "n": 5, "min": 1.0, "p50": 1.0, RSS: 30.0}


@pytest.fixture
def compared(scripts, machine, tmp_path: Path, monkeypatch, capsys):
    """Return a function that compares two tables: the status, and what was said."""
    made = itertools.count()

    def compare(old, new, *options, **where):
        folder = tmp_path / f"compared-{next(made)}"
        for name, rows, more in (("old", old, {}), ("new", new, where)):
            (folder / name).mkdir(parents=True)
            table = {"title": "some, ms", "machine": machine | more, "rows": rows}
            (folder / name / "some.json").write_text(json.dumps([table]))
        command = ["compare.py", *options, str(folder / "old"), str(folder / "new")]
        monkeypatch.setattr(sys, "argv", command)
        return scripts.compare.main(), capsys.readouterr().out

    return compare


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


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ([OURS], [], "gone"),
        ([OURS], [{"way": "midflight", "n": 0, "lost": 0}], "not measured"),
        ([OURS], [OURS | {"lost": 5}], "lost"),
        ([OURS], [OURS | {"p99": 20.0}], "p99"),
        ([PASS], [PASS | {"whole pass, p50": 15.0}], "whole pass, p50"),
        ([PASS], [PASS | {"nothing changed, p50": 5.0}], "nothing changed, p50"),
        ([OURS], [OURS | {"min": 2.0, "p50": 2.0}], "p50"),
        ([IMPORTED], [IMPORTED | {LIBRARIES: "sqlalchemy asyncio"}], "sqlalchemy"),
        ([RESIDENT], [RESIDENT | {RSS: 90.0}], RSS),
        ([RESIDENT | {RSS: "< 30"}], [RESIDENT | {RSS: 90.0}], RSS),
        ([IDLE], [IDLE | {WAKES: 300.0}], WAKES),
        ([IDLE], [IDLE | {CPU: 30.0}], CPU),
        ([IDLE], [IDLE | {RSS: 40.0}], RSS),
    ],
)
def test_what_got_worse_is_named_and_ends_with_1(compared, old, new, said):
    """Rows that are gone or failed and every figure count, not only min and p50."""
    peer = {"way": "watchfiles", "n": 9, "min": 5.0, "p50": 5.0, "p99": 5.0}
    status, text = compared([peer, *old], [peer, *new])

    assert status == 1
    assert said in text
    assert "nothing of ours moved" not in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ([OURS], [OURS], "nothing of ours moved"),
        ([OURS], [OURS | {"min": 0.5, "p50": 0.5}], "less"),
        ([], [OURS], "new"),
        ([OURS], [OURS | {"p99": 6.0}], "nothing of ours moved"),
        ([PASS], [PASS | {"whole pass, p50": 2.5}], "nothing of ours moved"),
        ([{"way": "caddy", "n": 3}], [], "nothing of ours moved"),
        ([IDLE], [IDLE | {WAKES: 60.0, CPU: 12.0}], "nothing of ours moved"),
        ([IMPORTED | {LIBRARIES: "click"}], [IMPORTED], "nothing of ours moved"),
    ],
)
def test_what_did_not_get_worse_ends_with_0(compared, old, new, said):
    """Neither what is faster or new, nor chance, nor a peer that is away."""
    peer = {"way": "watchfiles", "n": 9, "min": 5.0, "p50": 5.0, "p99": 5.0}
    status, text = compared([peer, *old], [peer, *new])

    assert status == 0
    assert said in text


def test_a_slower_machine_does_not_hide_what_became_larger(compared):
    """Sizes are compared as they are: no machine makes them larger."""
    peer = {"way": "watchfiles", "n": 9, "min": 5.0, "p50": 5.0}
    slower = peer | {"min": 10.0, "p50": 10.0}
    ours = RESIDENT | {"min": 2.0, "p50": 2.0}
    larger = ours | {RSS: 40.0}

    assert compared([peer, RESIDENT], [slower, ours])[0] == 0
    assert compared([peer, RESIDENT], [slower, larger])[0] == 1


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"cores": 64}, "cores: 2, then 64"),
        ({"python": "3.14.0"}, "python: 3.11.7, then 3.14.0"),
        ({"versions": {"watchfiles": "9"}}, "watchfiles: None, then 9"),
    ],
)
def test_what_else_differs_is_a_warning(compared, where, said):
    """Another machine, Python or peer is said: a commit is not all that changed."""
    status, text = compared([OURS], [OURS], **where)

    assert status == 0
    assert f"warning: the runs differ in more than their commits: {said}" in text


def test_another_commit_of_ours_is_no_warning(compared):
    """That is what is compared, and so is our own version."""
    where = {"commit": "fedcba9", "load": 3.0, "versions": {"midflight": "2"}}

    assert "warning" not in compared([OURS], [OURS], **where)[1]


def test_a_benchmark_that_was_not_run_is_named(scripts, another, monkeypatch, capsys):
    """It is not taken for one whose rows are gone."""
    runs = another({"reads": [OURS], "hooks": [PASS]}), another({"reads": [OURS]})
    monkeypatch.setattr(scripts.compare, "read", lambda _, path: runs[int(path.name)])
    monkeypatch.setattr(sys, "argv", ["compare.py", "0", "1"])

    assert scripts.compare.main() == 0
    assert "warning: in one of the runs alone: hooks" in capsys.readouterr().out


def test_help_says_what_the_status_means(scripts, monkeypatch, capsys):
    """Whoever has it run by a machine need not read the source."""
    monkeypatch.setattr(sys, "argv", ["compare.py", "--help"])

    with pytest.raises(SystemExit):
        scripts.compare.main()
    assert "status 1 if anything of ours got worse" in " ".join(
        capsys.readouterr().out.split()
    )
