from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from midflight import Secret
from midflight_plugins.secrets._watching import Watcher, steps

PATIENCE = 10.0


def wait_for(condition):
    """Wait until something is true."""
    due = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < due, "did not happen in time"
        threading.Event().wait(0.01)


@pytest.fixture(autouse=True)
def no_thread_stays():
    """See that each runtime ends every thread and descriptor it began."""
    before = {thread.ident for thread in threading.enumerate()}
    yield
    wait_for(lambda: {t.ident for t in threading.enumerate()} <= before)


def replaced(path, text):
    """Write a file anew beside it and rename it, as those who rotate do."""
    new = path.with_name(".new")
    new.write_text(text)
    new.rename(path)


def written(path, text):
    """Write over what is there."""
    path.write_text(text)


def moved_in(path, text):
    """Rename a file of another directory into place."""
    other = path.parent.parent / "elsewhere"
    other.write_text(text)
    other.rename(path)


@pytest.mark.parametrize("change", [replaced, written, moved_in])
def test_a_rotated_file_reaches_the_module(build, folder, change):
    """Watched, not swept: the text of the configuration never changes."""
    path = folder / "pw"
    path.write_text("one")
    runtime, _ = build({"a": f"${{file:{path}}}"}, watch=True, sweep=3600)
    with runtime:
        change(path, "two")
        runtime.wait(2, PATIENCE)

        assert [each["a"] for each in runtime.module("m").taken] == ["one", "two"]
        assert runtime.snapshot.document.modules["m"].config["a"] == Secret("two")


def test_an_exchanged_data_directory_is_seen(build, folder):
    """Kubernetes renames `..data` when a mounted Secret changes."""
    for name, text in (("..1", "one"), ("..2", "two")):
        (folder / name).mkdir()
        (folder / name / "pw").write_text(text)
    (folder / "..data").symlink_to("..1")
    (folder / "pw").symlink_to("..data/pw")
    runtime, _ = build({"a": f"${{file:{folder}/pw}}"}, watch=True, sweep=3600)
    with runtime:
        (folder / "..tmp").symlink_to("..2")
        (folder / "..tmp").rename(folder / "..data")
        runtime.wait(2, PATIENCE)

        assert runtime.module("m").taken[-1]["a"] == "two"


def test_a_sweep_finds_what_no_watch_told(build, folder, monkeypatch):
    """With the watch lost, the next sweep sees that the file changed."""
    monkeypatch.setattr("watchdog.observers.Observer", Deaf)
    path = folder / "pw"
    path.write_text("one")
    runtime, _ = build({"a": f"${{file:{path}}}"}, watch=True, sweep=0.1)
    with runtime:
        path.write_text("two")
        runtime.wait(2, PATIENCE)

        assert runtime.module("m").taken[-1]["a"] == "two"


class Deaf(threading.Thread):
    """An observer that cannot watch anything."""

    def schedule(self, *_):
        raise OSError(28, "no watches left")

    def run(self):
        pass

    def stop(self):
        pass


def test_a_change_of_a_variable_is_found_by_a_sweep(build, monkeypatch):
    """The process's own environment counts as well."""
    monkeypatch.setenv("WHO", "one")
    runtime, _ = build({"a": "${WHO}"}, watch=True, sweep=0.1)
    with runtime:
        monkeypatch.setenv("WHO", "two")
        runtime.wait(2, PATIENCE)

        assert runtime.module("m").taken[-1]["a"] == "two"


def test_a_missing_file_is_taken_once_it_is_there(build, folder):
    """The refused change is tried again when its secret appears."""
    (folder / "pw").write_text("one")
    runtime, source = build({"a": f"${{file:{folder}/pw}}"}, watch=True, sweep=3600)
    with runtime:
        later = {"a": f"${{file:{folder}/deep/later}}"}
        source.set({"modules": [{"name": "m", "type": "keeps", "config": later}]})
        refused = runtime.reload()
        (folder / "deep").mkdir()
        replaced(folder / "deep" / "later", "two")
        runtime.wait(2, PATIENCE)

        assert refused.faults[0].code == "E_SECRET"
        assert runtime.module("m").taken[-1]["a"] == "two"
        assert runtime.status()["state"] == "healthy"


def test_an_emptied_file_keeps_the_last_good_secret(build, folder):
    """A file that somebody is about to write is refused, not applied."""
    (folder / "pw").write_text("one")
    runtime, _ = build({"a": f"${{file:{folder}/pw}}"})
    with runtime:
        (folder / "pw").write_text("")

        assert runtime.reload().name == "rejected"
        assert [each["a"] for each in runtime.module("m").taken] == ["one"]


def test_only_what_the_rotation_touches_is_reconfigured(build, folder):
    """Other modules are the same objects after it."""
    (folder / "pw").write_text("one")
    runtime, source = build({})
    others = [{"name": f"n{i}", "type": "keeps", "config": {"i": i}} for i in range(3)]
    with_secret = {"a": f"${{file:{folder}/pw}}"}
    entry = {"name": "m", "type": "keeps", "config": with_secret}
    source.set({"modules": [entry, *others]})
    with runtime:
        (folder / "pw").write_text("two")
        outcome = runtime.reload()

        assert [step.module for step in outcome.plan.steps] == ["m"]


def test_a_runtime_without_files_starts_no_watcher(build):
    """Nothing to watch: no thread, no descriptor, for as long as it runs."""
    runtime, _ = build({"a": "b", "password": "c"}, watch=True, sweep=3600)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with runtime:
        names = [type(thread).__name__ for thread in threading.enumerate()]
        during = len(list(Path("/proc/self/fd").iterdir()))

    assert not [name for name in names if "otify" in name or "Observer" in name]
    assert during == before


def test_the_way_to_a_file_is_what_is_watched(tmp_path):
    """Its name, each link on the way, and what is missing first."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = steps(str(tmp_path / "link" / "deep" / "file"))

    assert (str(tmp_path), "link") in found
    assert (str(tmp_path / "real"), "deep") in found


def test_an_event_waits_for_nobody(tmp_path):
    """The watching thread takes no lock that whoever looks may hold: no deadlock."""
    (tmp_path / "s").write_text("one")
    hinted = threading.Event()
    watcher = Watcher(hinted.set)
    watcher.follow(frozenset({str(tmp_path / "s")}))
    try:
        with watcher._lock:
            (tmp_path / "s").write_text("two")

            assert hinted.wait(PATIENCE)
    finally:
        watcher.close()
