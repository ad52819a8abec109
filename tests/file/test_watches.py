from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from midflight_plugins.file import FileSource
from midflight_plugins.file._inotify import Inotify
from midflight_plugins.file._observer import Polite
from midflight_plugins.file._watch import Backend, Event, Watch, interests

BACKENDS: list[type[Any]] = [Inotify, Polite]


@pytest.fixture(params=BACKENDS, ids=["inotify", "observer"])
def watching(request: Any, hints: Any) -> Callable[..., Any]:
    """Watch files by either backend, as a context manager."""

    @contextlib.contextmanager
    def do(*paths: Path) -> Iterator[Watch]:
        def make(on_event: Callable[[Event], None]) -> Backend:
            backend: Backend = request.param(on_event)
            return backend

        files = tuple(str(path) for path in paths)
        with Watch(lambda: files, hints, set(), make) as watch:
            yield watch

    return do


def replace(path: Path, text: str, *, other: Path | None = None) -> None:
    """Write beside, or in another directory, and rename."""
    new = (other or path.parent) / ".new"
    new.write_text(text)
    new.rename(path)


def test_sees_a_write_in_place(watching: Any, hints: Any, write: Any) -> None:
    """A file that is written and closed gives a hint."""
    path = write({"app.yaml": "a: 1\n"})
    with watching(path):
        for at in range(5):
            before = hints.count
            path.write_text(f"a: {at}\n")
            assert hints.after(before)


def test_sees_an_atomic_rename(
    watching: Any, hints: Any, write: Any, tmp_path: Path
) -> None:
    """A rename onto the file gives a hint, from the same directory or another."""
    path = write({"in/app.yaml": "a: 1\n", "out/x": ""})
    with watching(path):
        replace(path, "a: 2\n")
        assert hints.after(0)
        for at in range(3):
            before = hints.count
            replace(path, f"a: {at}\n", other=tmp_path / "out")
            assert hints.after(before)


def test_sees_a_file_that_appears(watching: Any, hints: Any, tmp_path: Path) -> None:
    """A file that was missing gives a hint once it is there."""
    with watching(tmp_path / "app.yaml"):
        (tmp_path / "app.yaml").write_text("a: 1\n")
        assert hints.after(0)


def config_map(directory: Path, name: str, text: str) -> None:
    """Swap in a new version the way a ConfigMap volume does."""
    version = directory / f"..{name}"
    version.mkdir()
    (version / "app.yaml").write_text(text)
    (directory / "..data_tmp").symlink_to(version.name)
    old = directory / "..data"
    before = old.resolve() if old.is_symlink() else None
    (directory / "..data_tmp").rename(old)
    if not (directory / "app.yaml").is_symlink():
        (directory / "app.yaml").symlink_to("..data/app.yaml")
    if before is not None:
        shutil.rmtree(before)


def test_sees_fifty_config_map_swaps(hints: Any, tmp_path: Path) -> None:
    """Each swap is seen, although every old directory is removed."""
    config_map(tmp_path, "0", "a: 0\n")
    source = FileSource(tmp_path / "app.yaml")
    seen: list[Any] = []

    def reload() -> None:
        with contextlib.suppress(Exception):  # the old version may be half gone
            seen.append(source.load().document.sections["a"])  # type: ignore[union-attr]  # a Document

    hints.action = reload
    source.load()
    with source.watch(hints):
        for at in range(1, 51):
            config_map(tmp_path, str(at), f"a: {at}\n")
            assert hints.wait(lambda at=at: bool(seen) and seen[-1] == at)


def test_a_new_file_is_not_acted_on_before_it_is_closed(
    hints: Any, tmp_path: Path
) -> None:
    """Creating and writing give no hint; closing does."""
    path = tmp_path / "app.yaml"
    with FileSource(path).watch(hints):
        with path.open("w") as file:
            file.write("a: ")
            file.flush()
            # The marker's hint shows that all earlier events have been handled.
            with FileSource(tmp_path / "marker").watch(marker := type(hints)()):
                (tmp_path / "marker").write_text("x")
                assert marker.after(0)
            file.write("1\n")
            early = hints.count
        assert hints.after(early)

        assert early == 0


def test_reading_gives_no_hint(hints: Any, write: Any, tmp_path: Path) -> None:
    """Our own reads, and those of others, are not events."""
    path = write({"app.yaml": "a: 1\n", "marker": ""})
    source = FileSource(path)
    with (
        source.watch(hints),
        FileSource(tmp_path / "marker").watch(other := type(hints)()),
    ):
        for _ in range(20):
            source.load()
            path.read_text()
        (tmp_path / "marker").write_text("x")
        assert other.after(0)

        assert hints.count == 0


def test_sees_a_directory_replaced_by_rename(
    watching: Any, hints: Any, write: Any, tmp_path: Path
) -> None:
    """A directory moved into the place of the old one is watched from then on."""
    path = write({"conf/app.yaml": "a: 1\n", "next/app.yaml": "a: 2\n"})
    with watching(path) as watch:
        (tmp_path / "conf").rename(tmp_path / "old")
        (tmp_path / "next").rename(tmp_path / "conf")
        assert hints.after(0)
        watch.rearm()
        before = hints.count
        path.write_text("a: 3\n")
        assert hints.after(before)


def test_a_deleted_directory_is_watched_again_after_a_look(
    watching: Any, hints: Any, write: Any, tmp_path: Path
) -> None:
    """Two levels that come back are armed by the next look at the source."""
    path = write({"x/conf/app.yaml": "a: 1\n"})
    with watching(path) as watch:
        shutil.rmtree(tmp_path / "x")
        write({"x/conf/app.yaml": "a: 2\n"})
        watch.rearm()
        before = hints.count
        path.write_text("a: 3\n")
        assert hints.after(before)


def test_sees_permissions_come_back(hints: Any, write: Any) -> None:
    """A file that becomes readable again gives a hint."""
    path = write({"app.yaml": "a: 1\n"})
    with FileSource(path).watch(hints):
        path.chmod(0o600)
        assert hints.after(0)


def test_a_moved_away_file_delays_nothing(
    hints: Any, write: Any, tmp_path: Path
) -> None:
    """After a file left the directory, the next change is seen all the same."""
    path = write({"app.yaml": "a: 1\n", "other": "", "out/x": ""})
    with FileSource(path).watch(hints):
        (tmp_path / "other").rename(tmp_path / "out" / "other")
        path.write_text("a: 2\n")
        assert hints.after(0)


def test_no_hint_comes_after_the_exit(
    watching: Any, hints: Any, write: Any, tmp_path: Path
) -> None:
    """After the exit nothing is called, and no thread or descriptor is left."""
    path = write({"app.yaml": "a: 1\n"})
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        with watching(path):
            path.write_text("a: 2\n")
        count = hints.count
        path.write_text("a: 3\n")

        assert hints.count == count
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    assert not [t for t in threading.enumerate() if "watch" in t.name.lower()]


def test_exits_from_within_a_hint(hints: Any, write: Any) -> None:
    """A hint may end the watch that gave it."""
    path = write({"app.yaml": "a: 1\n"})
    stack = contextlib.ExitStack()
    hints.action = stack.close
    with stack:
        stack.enter_context(FileSource(path).watch(hints))
        path.write_text("a: 2\n")
        assert hints.after(0)


def test_a_hint_that_raises_does_not_end_the_watch(
    hints: Any, write: Any, caplog: Any
) -> None:
    """Whatever acting on a hint raises, even SystemExit, the next hint comes."""
    path = write({"app.yaml": "a: 1\n"})
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise SystemExit(3)

    hints.action = fail
    with FileSource(path).watch(hints):
        path.write_text("a: 2\n")
        assert hints.wait(lambda: len(calls) > 0)
        path.write_text("a: 3\n")
        assert hints.wait(lambda: len(calls) > 1)
    assert "acting on it failed" in caplog.text


def test_exhausted_limits_are_said_clearly(
    hints: Any, write: Any, monkeypatch: Any
) -> None:
    """With no inotify instance left, entering raises and says what to raise."""
    from watchdog.observers import inotify_c

    def none_left(_cls: object = None) -> int:
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr(inotify_c.InotifyFD, "_create_inotify_fd", none_left)

    with (
        pytest.raises(OSError, match=r"fs\.inotify\.max_user_instances"),
        FileSource(write({"app.yaml": "a: 1\n"})).watch(hints),
    ):
        pass


def test_a_lack_of_watches_at_the_beginning_leaves_nothing_open(
    hints: Any, write: Any, monkeypatch: Any
) -> None:
    """With no inotify watch left, entering says what to raise; its thread ends."""
    from watchdog.observers import inotify_c

    def none_left(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(inotify_c.InotifyFD, "add_callback", none_left)
    source = FileSource(write({"app.yaml": "a: 1\n"}))

    with pytest.raises(OSError, match=r"max_user_watches"), source.watch(hints):
        pass
    assert not source._watches


def test_falls_back_to_the_documented_observer(
    hints: Any, write: Any, monkeypatch: Any
) -> None:
    """If the faster interface is not there, the documented one is used."""
    monkeypatch.setitem(sys.modules, "midflight_plugins.file._inotify", None)
    path = write({"app.yaml": "a: 1\n"})
    with FileSource(path).watch(hints):
        path.write_text("a: 2\n")
        assert hints.after(0)


def test_a_forked_child_leaves_the_watch_of_its_parent_alone(
    hints: Any, write: Any
) -> None:
    """A child that looks at the source or ends the watch does not blind the parent."""
    path = write({"app.yaml": "a: 1\n"})
    source = FileSource(path)
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads
        stack.enter_context(source.watch(hints))
        source.load()
        child = os.fork()
        if child == 0:
            source.hash()
            stack.close()
            os._exit(0)
        os.waitpid(child, 0)
        path.write_text("a: 2\n")
        assert hints.after(0)

    assert hints.count == 1


FORKS = """
import os, sys, threading, time
from midflight import Runtime

path, = sys.argv[1:]
names = lambda: [t.name for t in threading.enumerate()]
with Runtime(f"file:{path}", watch=True, sweep=0.1) as runtime:
    child = os.fork()
    if child == 0:
        try:
            for value in (2, 3):  # the second is found after some looks
                with open(path, "w") as file:
                    file.write(f"a: {value}\\n")
                runtime.wait(generation=value, timeout=10)
            due = time.monotonic() + 10
            while runtime.status()["sources"][0]["mode"] != "watch":
                assert time.monotonic() < due, "no watch"
                time.sleep(0.01)
            print(names().count("midflight-file-watch"), flush=True)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    print(names().count("midflight-file-watch"))
"""


def test_a_forked_child_holds_one_watch(write: Any) -> None:
    """The watch that a child opens is the only one it has; the parent keeps its own."""
    path = write({"app.yaml": "a: 1\n"})
    command = [sys.executable, "-I", "-W", "ignore", "-c", FORKS, str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.split() == ["1", "1"], done.stderr


def test_two_watches_of_one_source_are_independent(hints: Any, write: Any) -> None:
    """A watch that ends does not take another one with it."""
    path = write({"app.yaml": "imports: [x/b.yaml]\n", "x/b.yaml": "b: 1\n"})
    source = FileSource(path)
    with source.watch(hints):
        with source.watch(lambda: None):
            pass
        source.load()
        (path.parent / "x" / "b.yaml").write_text("b: 2\n")
        assert hints.after(0)


class Fake:
    """A backend that sees nothing by itself."""

    made: list[Fake]
    living = True

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self.on_event = on_event
        self.added: list[str] = []
        Fake.made.append(self)

    def add(self, directory: str) -> None:
        self.added.append(directory)

    def remove(self, directory: str) -> None:
        self.added.remove(directory)

    def close(self) -> threading.Thread:
        return threading.current_thread()

    def alive(self) -> bool:
        return self.living


@pytest.fixture
def fake(write: Any, hints: Any) -> Iterator[Watch]:
    """Watch a file by a backend that does what the test says."""
    path = str(write({"app.yaml": "a: 1\n"}))
    Fake.made = []
    with Watch(lambda: (path,), hints, set(), Fake) as watch:
        yield watch


def test_a_dead_watcher_is_replaced_at_the_next_look(fake: Watch) -> None:
    """Looking at the source finds a watching thread that died, and starts another."""
    Fake.made[0].living = False
    fake.rearm()

    assert len(Fake.made) == 2
    assert Fake.made[1].added == Fake.made[0].added


def test_a_watcher_that_hangs_in_a_hint_is_replaced(fake: Watch) -> None:
    """A hint that does not return for long does not blind the source."""
    fake._busy = (0, time.monotonic() - 1)
    fake.rearm()
    assert len(Fake.made) == 1
    fake._busy = (0, time.monotonic() - 60)
    fake.rearm()

    assert len(Fake.made) == 2


def test_lost_events_are_a_hint(fake: Watch, hints: Any) -> None:
    """When the queue overflowed, anything may have changed."""
    Fake.made[0].on_event(Event(""))

    assert hints.count == 1


def test_a_lack_of_watches_later_is_logged_once(
    fake: Watch, caplog: Any, monkeypatch: Any
) -> None:
    """Running out of watches while running leaves the sweep, and one line of log."""

    def full(_self: Fake, _directory: str) -> None:
        msg = "none left"
        raise OSError(errno.ENOSPC, msg)

    monkeypatch.setattr(Fake, "add", full)
    Fake.made[0].living = False
    for _ in range(3):
        fake.rearm()

    assert caplog.text.count("only sweeps find them") == 1


def test_looks_out_for_every_link_on_the_way(tmp_path: Path) -> None:
    """The names to watch are the file, its links, and the directories of those."""
    config_map(tmp_path, "1", "a: 1\n")

    found = interests(str(tmp_path / "app.yaml"))

    assert found == {
        str(tmp_path.parent): {tmp_path.name},
        str(tmp_path): {"app.yaml", "..data", "..1"},
        str(tmp_path / "..1"): {"app.yaml"},
    }
    assert interests(str(tmp_path / "none" / "x" / "a.yaml"))[str(tmp_path)] == {"none"}
