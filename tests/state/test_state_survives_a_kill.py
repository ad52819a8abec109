"""Killed at any step, the state directory stays readable and loses nothing told."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Forks a child for each step at which it may be killed, then starts anew on what is
# left, with the source down. The parent has no threads: forking it is safe.
SWEEP = """
import json, os, shutil, signal, sqlite3, sys, time
from pathlib import Path
from midflight import PluginRegistry, Runtime
from midflight.testing import FakeModule, FakeSource
from midflight.errors import MidflightError
from midflight_plugins.state import _disk as disk, _lastgood
from midflight_plugins.state._disk import Disk
from midflight_plugins.state._reading import last_records, verify
import midflight_plugins.state._keeper, cryptography.hazmat.primitives.ciphers.aead

root, first, every = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
_lastgood._SMALL, _lastgood.KEPT = int(sys.argv[4]), 2
count, last = 0, None

def point():
    global count
    count += 1
    if count == last:
        os.kill(os.getpid(), signal.SIGKILL)

class Deadly(Disk):
    def open(self, path, flags):
        point()
        return super().open(path, flags)
    def write(self, handle, data, at=0):
        point()
        if len(data) != 86:  # no signal comes between two bytes of the head's line
            super().write(handle, data[: len(data) // 2], at)
            point()
        super().write(handle, data, at)
        point()
    def sync(self, handle):
        super().sync(handle)
        point()
    def rename(self, old, new):
        point()
        super().rename(old, new)
        point()
    def link(self, old, new):
        super().link(old, new)
        point()
    def unlink(self, path):
        point()
        super().unlink(path)
    def step(self, name):
        point()

connect = sqlite3.connect
def deadly(*args, **more):  # SQLite comes by here every few instructions
    database = connect(*args, **more)
    database.set_progress_handler(point, 5)
    return database

def config(n):
    web = {"name": "web", "type": "fake", "config": {"n": n}}
    return {"modules": [web, *({"name": x, "type": "fake"} for x in "abcd")]}

def scenario(folder, told):
    sqlite3.connect = deadly
    disk.Disk = Deadly
    source = FakeSource(config(1))
    options = {"state_dir": folder, "modules": {"fake": FakeModule}}
    with Runtime(source, **options) as runtime:
        os.write(told, b"1")
        for n in range(2, 6):
            source.set(config(n))
            assert runtime.reload().ok
            os.write(told, b"1")

def forked(function, *args):
    child = os.fork()
    if not child:
        code = 1
        try:
            function(*args)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def recovery(folder, result):
    found = {}
    if (folder / "journal.db").exists():
        report = verify(folder)
        # Before there is any record, a head or the tables may not be made yet.
        found["before"] = report.broken if last_records_or_none(folder) else ""
    source = FakeSource()
    source.fail(OSError("down"))
    try:
        options = {"state_dir": folder, "modules": {"fake": FakeModule}}
        with Runtime(source, **options) as runtime:
            found["n"] = runtime.snapshot.document.modules["web"].config["n"]
            found["status"] = runtime.status()["state"]
            found["notes"] = runtime.notes["state"]
    except MidflightError as exc:
        found["error"] = str(exc.code)
    found["after"] = verify(folder).broken
    found["records"] = len(last_records(folder, 99))
    found["kept"] = sorted(each.name[10:] for each in folder.glob("last-good.*"))
    found["left"] = [each.name for each in folder.iterdir() if each.name[0] == "."]
    result.write_text(json.dumps(found))

def last_records_or_none(folder):
    try:
        return last_records(folder, 1)
    except MidflightError:
        return []

results, last = [], first
while True:
    folder, result = root / str(last), root / f"{last}.json"
    reader, writer = os.pipe()
    ended = forked(scenario, folder, writer)
    os.close(writer)
    told = len(os.read(reader, 99))
    os.close(reader)
    assert ended in (0, -signal.SIGKILL), ended
    recovered = forked(recovery, folder, result) if folder.exists() else 0
    found = json.loads(result.read_text()) if result.exists() else {}
    about = {"last": last, "ended": ended, "told": told, "r": recovered}
    results.append({**about, **found})
    shutil.rmtree(folder, ignore_errors=True)
    if ended == 0:
        break
    last += every
print(json.dumps(results))
"""


def limit(name, value):
    """Return a limit of what is kept whole; all tests of it share one sweep."""
    return pytest.param(value, id=name, marks=pytest.mark.xdist_group(f"kill {name}"))


@pytest.fixture(scope="module", params=[limit("small", 1 << 16), limit("large", 0)])
def sweep(tmp_path_factory, request):
    """Return what was found after a kill at each step.

    As where each configuration is kept whole, and as where only what changed is.
    """
    arguments = [str(tmp_path_factory.mktemp("sweep")), "1", "1", str(request.param)]
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.mark.timeout(600)
def test_there_are_many_steps_and_the_last_is_past_the_end(sweep):
    """The sweep goes through all of them, up to a child that ends by itself."""
    assert len(sweep) > 150
    assert [each["ended"] for each in sweep[:-1]] == [-9] * (len(sweep) - 1)
    assert sweep[-1]["ended"] == 0
    assert {each["told"] for each in sweep} == {0, 1, 2, 3, 4, 5}


@pytest.mark.timeout(600)
def test_what_changed_is_kept_where_there_is_much(sweep, request):
    """The one sweep is about such files, and about their end, and the other is not."""
    last = sweep[-1]["kept"]
    patches = ["000000000001", "000000000004", "000000000005.on.000000000004"]
    large = "large" in request.node.name

    assert last == (patches if large else ["000000000004", "000000000005"])


@pytest.mark.timeout(600)
def test_what_was_told_is_what_a_restart_runs(sweep):
    """The last one that was told, or the one under way, whole; and it says so."""
    wrong = [
        each
        for each in sweep
        if each.get("n") not in {each["told"], each["told"] + 1}
        and (each["told"] or each.get("error", "E_SOURCE") != "E_SOURCE")
    ]
    running = [each for each in sweep if "n" in each]

    assert wrong == []
    assert {each["status"] for each in running} == {"degraded"}
    assert all(each["notes"].startswith("running the last good") for each in running)


@pytest.mark.timeout(600)
def test_the_journal_is_whole_after_each_kill(sweep):
    """Before the service is started again, and after; no decision told is missing."""
    assert [each for each in sweep if each["r"]] == []
    assert [each for each in sweep if each.get("before")] == []
    assert [each for each in sweep if each.get("after")] == []
    assert [e for e in sweep if "records" in e and e["records"] < e["told"]] == []


@pytest.mark.timeout(600)
def test_nothing_half_written_stays(sweep):
    """The next start removes what the kill left."""
    assert [each for each in sweep if each.get("left")] == []
