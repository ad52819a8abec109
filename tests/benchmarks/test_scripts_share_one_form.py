"""What every benchmark has in common; never how long anything takes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PARTS = re.compile(r"^`(\w+)\.py` — ", re.MULTILINE)
PEERS = {"ruamel.yaml.clib", "caddy", "watchdog"}  # an extra, a program, our own


@pytest.fixture(scope="session")
def kept(folder: Path, tmp_path_factory):
    """Return what a benchmark of two modules kept."""
    path = tmp_path_factory.mktemp("kept") / "edit_to_module.json"
    command = [sys.executable, str(folder / "edit_to_module.py"), "--json", str(path)]
    options = ["--quick", "--sizes", "2", "--budget", "0.6", "--only"]
    subprocess.run([*command, *options, "floor", "midflight"], check=True, timeout=50)
    return json.loads(path.read_text())


def test_every_benchmark_is_run_and_described(scripts, folder):
    """Whatever asks for the common options is run by `run.py`, and in the README."""
    asking = {
        path.stem
        for path in folder.glob("*.py")
        if "common.arguments(" in path.read_text()
    }
    described = PARTS.findall((folder / "README.md").read_text("utf-8"))

    assert {*scripts.run.PARTS} == asking
    assert {*described} == asking


def test_every_benchmark_reports_in_the_common_form(scripts, folder):
    """Each puts its tables out through one function, which keeps them as JSON, too."""
    texts = [(folder / f"{part}.py").read_text() for part in scripts.run.PARTS]

    assert all("common.report(" in text for text in texts)


def test_a_page_that_is_written_makes_no_other_commit(scripts, tmp_path, monkeypatch):
    """A run beside a new page is of the same commit; one of other code is not."""
    me = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):  # those of a hook
        monkeypatch.delenv(name, raising=False)
    for name in ("docs/page.md", "code.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old\n")
    for words in (["init", "-q"], ["add", "."], [*me, "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    monkeypatch.setattr(scripts.common, "HERE", tmp_path)
    name = scripts.common.commit()

    (tmp_path / "docs/page.md").write_text("new\n")

    assert re.fullmatch("[0-9a-f]+", name)
    assert scripts.common.commit() == name
    (tmp_path / "code.py").write_text("new\n")
    assert scripts.common.commit() == f"{name}+"


def test_every_peer_is_in_the_group_of_peers(scripts, folder, root):
    """`nox -s bench` installs what stands beside Midflight; versions are kept."""
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    installed = {re.split(r"[<>=\[]", each)[0] for each in groups["peers"]}
    text = (folder / "edit_to_module.py").read_text()
    text += (
        (folder / "reads.py").read_text().partition("PEERS = {")[2].partition("}")[0]
    )
    used = set(re.findall(r'"((?!midflight)[a-zA-Z][\w.-]+)"', text))
    used &= {*scripts.common.PACKAGES}

    assert used - PEERS <= installed
    assert installed <= {*scripts.common.PACKAGES}


@pytest.mark.parametrize(
    "row", [{"n": 0}, {"n": 5, "lost": 1}], ids=["not measured", "lost a change"]
)
def test_what_of_ours_failed_ends_a_script(scripts, row, tmp_path):
    """A way of ours that failed is no gap in a table; one of a peer is."""
    kept = tmp_path / "kept.json"
    scripts.common.report("a", [{"way": "watchfiles", **row}], kept)

    with pytest.raises(SystemExit, match="not measured, or changes were lost"):
        scripts.common.report("b", [{"way": "midflight", **row}], kept)
    assert [table["title"] for table in json.loads(kept.read_text())] == ["a", "b"]


def test_our_rows_are_ours_whatever_they_stand_beside(scripts):
    """A row that names Midflight is ours, also if it names a peer or a format."""
    assert scripts.common.is_ours({"what": "JSON", "way": "midflight, after an edit"})
    assert scripts.common.is_ours({"way": "parsed in full"})
    assert not scripts.common.is_ours({"what": "JSON", "way": "json.loads"})
    assert not scripts.common.is_ours({"way": "allowed: 300 ms, at this pace"})


def test_what_a_part_is_given_beside_is_what_it_takes(scripts, folder):
    """Sizes are given to scripts that have that option, and 10,000 are among them."""
    given = [*scripts.run.QUICK.items()]
    given += [(part, options) for part, (_, options) in scripts.run.PURE.items()]

    for part, options in given:
        assert "sizes=sizes" in (folder / f"{part}.py").read_text()
        assert {"--sizes", "10000"} <= {*options}


def test_what_is_not_installed_is_named(scripts, capsys):
    """Whoever reads a table knows what it has not."""
    assert scripts.common.there("", "a floor")
    assert scripts.common.there("midflight", "ours")
    assert not scripts.common.there("no-such-peer", "its reload")
    assert capsys.readouterr().out == (
        "left out, no-such-peer is not installed: its reload\n"
    )


def test_a_benchmark_that_does_not_exist_is_refused(folder):
    """A misspelt name measures nothing, and leaves no folder of results."""
    done = subprocess.run(
        [sys.executable, str(folder / "run.py"), "--quick", "raeds"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 2
    assert "there is no raeds" in done.stderr


def test_a_table_has_figures_ratio_and_versions(kept):
    """Each row says n, min, p50, p99 and the ratio to the floor."""
    [table] = kept

    assert table["machine"]["python"] == sys.version.split()[0]
    assert table["machine"]["versions"]["midflight"]
    assert {"cores", "processor", "system", "commit", "load"} <= {*table["machine"]}
    for row in table["rows"]:
        assert {"n", "min", "p50", "p99", "x floor", "x floor + item"} <= {*row}
        assert row["n"] > 0
        assert row["lost"] == 0


def test_floor_and_midflight_are_measured_in_one_run(kept):
    """What is measured stands beside its floors, with the same writers."""
    [table] = kept
    ways = {(row["way"].split(",")[0], row["writer"]) for row in table["rows"]}

    for way in ("floor: inotify", "floor + parse of the changed item", "midflight"):
        writers = {writer for name, writer in ways if name == way}
        assert writers == {"in place", "rename", "in place, other process"}
