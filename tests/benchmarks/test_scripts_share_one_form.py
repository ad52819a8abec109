"""What every benchmark has in common; never how long anything takes."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from midflight.testing import wait_until

PARTS = re.compile(r"^`(\w+)\.py` — ", re.MULTILINE)
PEERS = {"ruamel.yaml.clib", "caddy", "watchdog"}  # an extra, a program, our own
# Runs a script at once (its first two arguments: what is not installed, and its path).
WITHOUT = """
import importlib.metadata, runpy, sys
hidden, *sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
import common
known = importlib.metadata.version
def version(name):
    if name == hidden:
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)
importlib.metadata.version, common.pace = version, lambda: 1.0
sys.modules[hidden] = None
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# What stands beside Midflight in the tables that scripts keep, by their words.
BESIDE = """\
caddy, kept but not synced
caddy, PATCH by its admin API, no file
caddy --watch
floor: one small file synced and renamed, no server
floor: a loop over the modules
floor: inotify, callback only
floor + parse of the changed item by the C parser
floor, callback only
floor: a sleep
allowed: 300 ms, at the pace of this machine
get: plain SQL
put: plain SQL, a transaction
json.loads of the whole
tomllib.loads of the whole
naive, == of two dicts, not typed
naive, sha256 of json.dumps
naive, copy.deepcopy of the whole
naive: a poll every 0.1 s
pyyaml.safe_load
pyyaml.CSafeLoader, collector off
ruamel safe, C parser
ruamel's round trip of the whole
ruamel's dictionaries, a sleep
dynaconf, reload + read
dynamic-config as it is, value only
omegaconf, load + read
oslo.config, mutate + read, INI
pydantic-settings, made anew + read
watchdog Observer, callback only
watchdog + full parse by ruamel, value only
watchfiles tuned, callback only
the method itself
plain dictionaries, by json.loads
dict under a lock
frozen slots behind one reference
bare python
bare watch
import pluggy, attrs
""".splitlines()
OURS = """\
put: get + store
get: load, parsed before
by push, all in one process
the last
nothing changed, each further look
from the hint to the module
a participant, three wrappers
one file
three layers, the top edited
parsed in full, and kept
from the cache, one module edited since
Runtime(watch=True).start(), to its first `start`
midflight, comments kept
midflight with the extra fast
import midflight
""".splitlines()


@pytest.fixture(scope="session")
def more(folder: Path) -> SimpleNamespace:
    """Return scripts that measure, by name; all names are free again afterwards."""
    before = {*sys.modules}
    with mock.patch.object(sys, "path", [str(folder), *sys.path]):
        found = {name: importlib.import_module(name) for name in ("reads", "stores")}
        found["kinds"] = found["stores"].kinds()
    for name in {*sys.modules} - before:
        if (folder / f"{name}.py").exists():
            del sys.modules[name]
    return SimpleNamespace(**found)


@pytest.fixture(scope="session")
def without(folder: Path):
    """Return a function that runs a script where something is not installed."""

    def run(hidden, script, *options, **environment):
        command = [sys.executable, "-c", WITHOUT, hidden, str(folder / script)]
        return subprocess.run(
            [*command, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
            env=environment or None,
        )

    return run


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


def test_every_row_that_is_kept_is_ours_or_not(scripts):
    """No floor, peer or library is held to be ours, and nothing of ours is not."""
    ours = [way for way in BESIDE if scripts.common.is_ours({"what": "X", "way": way})]
    others = [way for way in OURS if not scripts.common.is_ours({"way": way})]

    assert (ours, others) == ([], [])


def test_a_table_without_rows_ends_a_script(scripts, tmp_path):
    """What was asked for and is not there is no success, and nothing is kept."""
    with pytest.raises(SystemExit, match="nothing was measured: edits"):
        scripts.common.report("edits", [], tmp_path / "kept.json")
    assert not (tmp_path / "kept.json").exists()


def test_a_way_that_there_is_not_is_refused(without):
    """A misspelt word is said, also beside one that is not."""
    done = without("", "edit_to_module.py", "--only", "floor", "flor")

    assert done.returncode == 2
    assert "no way has `flor` in its name" in done.stderr


def test_a_way_that_alone_is_wanted_has_to_be_there(without):
    """Without Caddy its ways are left out; if they are all, that ends with 1."""
    done = without("", "edit_to_module.py", "--only", "caddy", PATH="")

    assert done.returncode == 1
    assert "left out, caddy is not installed: caddy --watch" in done.stdout


@pytest.mark.parametrize("script", ["compare.py", "page.py"])
@pytest.mark.parametrize("name", ["nowhere", "tables.md", "empty"])
def test_where_nothing_is_kept_is_said(without, tmp_path, script, name):
    """A wrong path is refused as a wrong option is, not with a traceback."""
    (tmp_path / "tables.md").write_text("| a |\n")
    (tmp_path / "empty").mkdir()
    done = without("", script, *[str(tmp_path / name)] * 2)

    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_stores_are_left_out_without_pytest(without):
    """What starts their servers is named, with what brings it; help needs nothing."""
    done = without("pytest", "stores.py")
    alone = without("pytest", "stores.py", "--stores", "redis")

    said = "left out, pytest is not installed: every store (pip install pytest)"
    assert (done.returncode, said in done.stdout) == (0, True)
    assert (alone.returncode, said in alone.stdout) == (1, True)
    assert "--stores {redis," in without("pytest", "stores.py", "--help").stdout


def test_the_admin_api_is_left_out_without_its_extra(without):
    """A library that is missing is named, with what brings it."""
    done = without("Jinja2", "admin.py")

    assert done.returncode == 0
    assert done.stdout.endswith(
        "left out, Jinja2 is not installed: the admin API "
        "(pip install 'midflight[admin]')\n"
    )


def test_what_the_admin_api_needs_is_what_its_extra_brings(folder, root):
    """The benchmark looks for the same libraries as `pip install` installs."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    brought = project["optional-dependencies"]["admin"]
    text = (folder / "admin.py").read_text()
    needs = re.findall('"(.+?)"', text.partition("NEEDS = (")[2].partition(")")[0])

    assert needs == [re.split("[<>=]", each)[0] for each in brought]


def test_stores_are_chosen_by_the_names_they_have(more):
    """Names are known without what the stores need; they are the same."""
    assert [kind.name for kind in more.kinds] == more.stores.NAMES


def test_a_read_is_never_held_to_take_less_than_nothing(more):
    """The least is that of fast moments alone, both of reads and of what is around."""
    around, reads = itertools.cycle([30, 60, 60]), itertools.cycle([40, 75])

    def batch(self, timer):
        return next(around if timer is self._empty else reads)

    reader = type("Reader", (more.reads.Reader,), {"_batch": batch})(lambda: 10)
    reader.turn(0.05)

    assert reader.summary()["min"] == 10


def test_reads_in_a_storm_are_measured_in_one(more):
    """While values are read, reloads change the configuration again and again."""
    source = more.reads.Alternating()
    modules = {"limiter": more.reads.Limiter}
    with more.reads.Runtime(source, modules=modules) as runtime:
        before = source.other
        with more.reads.reloading(runtime, 0.0):
            wait_until(lambda: source.other > before + 10, seconds=20)


@pytest.mark.parametrize(
    ("every", "outcome"),
    [(0.0, OSError("no such file")), (0.0, "rejected"), (600.0, "there was none")],
)
def test_a_storm_that_is_none_ends_the_script(more, every, outcome):
    """Reloads that raise, are rejected or do not happen are said: it was calm."""
    called = threading.Event()

    def reload():
        called.set()
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    def storm():
        with more.reads.reloading(SimpleNamespace(reload=reload), every):
            assert every or called.wait(20)

    with pytest.raises(RuntimeError, match="reloads, of them failed"):
        storm()


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
