"""A state directory that fails costs its memory, never the service."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from typing import Any, cast

import pytest

from midflight import Applied, Document, Runtime
from midflight.testing import wait_until
from midflight_plugins.state._disk import Disk
from midflight_plugins.state._folder import Folder
from midflight_plugins.state._keeper import Keeper
from midflight_plugins.state._reading import last_records, verify

from .conftest import number_of

FAILURES = [errno.ENOSPC, errno.EIO, errno.EROFS]
OPERATIONS = ["", "open", "write", "sync", "rename", "unlink", "step"]
SAID = "nothing is kept in the state directory"
AGAIN = "the state directory works again"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("error", FAILURES)
def test_a_failing_disk_is_said_once_and_so_is_its_return(
    run, change, disk, state_dir, caplog, error, operation
):
    """Changes go on meanwhile; afterwards nothing is missing from the journal."""
    caplog.set_level("INFO", "midflight")
    with run() as runtime:
        disk.error, disk.only = error, operation
        for number in range(2, 5):
            assert change(runtime, number).ok
            assert number_of(runtime) == number
        assert os.strerror(error) in runtime.notes["state"]
        assert runtime.status()["state"] == "healthy"
        disk.error = 0
        assert change(runtime, 5).ok
        assert "state" not in runtime.notes

    assert caplog.text.count(SAID) == 1
    assert caplog.text.count(AGAIN) == 1
    assert verify(state_dir).is_sound
    assert [each["generation"] for each in last_records(state_dir, 9)] == [
        5,
        4,
        3,
        2,
        1,
    ]
    assert not list(state_dir.glob(".*"))


def test_a_disk_that_fails_at_the_start_keeps_nobody_from_starting(
    run, change, disk, state_dir, source
):
    """What was applied before the disk worked is kept as soon as it does."""
    disk.error = errno.EIO
    with run() as runtime:
        assert "Input/output error" in runtime.notes["state"]
        disk.error = 0
        change(runtime, 2)
    source.fail(OSError("down"))

    with run() as runtime:
        assert number_of(runtime) == 2


def test_a_disk_that_works_again_is_noticed_without_a_change(
    run, change, disk, source, monkeypatch
):
    """A look at the source is a time to try again."""
    monkeypatch.setattr("midflight_plugins.state._keeper._PAUSE", 0.0)
    with run(watch=True, sweep=0.02) as runtime:
        disk.error = errno.ENOSPC
        change(runtime, 2)
        disk.error = 0
        wait_until(lambda: "state" not in runtime.notes, "the recovery")
    source.fail(OSError("down"))

    with run() as runtime:
        assert number_of(runtime) == 2


def test_a_full_disk_at_the_start_can_still_be_read(
    run, change, disk, source, state_dir
):
    """Nothing can be written, and the source is down: the last good runs."""
    with run() as runtime:
        change(runtime, 2)
    source.fail(OSError("down"))
    disk.error = errno.EROFS

    with run() as runtime:
        assert number_of(runtime) == 2
        assert "Read-only file system" in runtime.notes["state"]
        assert "running the last good" in runtime.notes["state"]


def test_a_failed_write_leaves_what_was_kept(run, change, disk, source):
    """The generation before is what a restart finds."""
    with run() as runtime:
        disk.error, disk.only = errno.ENOSPC, "write"
        change(runtime, 2)
    disk.error = 0
    source.fail(OSError("down"))

    with run() as runtime:
        assert number_of(runtime) == 1


@pytest.mark.parametrize("replaced", [False, True])
def test_a_directory_that_was_removed_is_made_again(
    run, change, state_dir, source, caplog, replaced
):
    """Writes into what nobody can find any more would be lost without a word."""
    caplog.set_level("INFO", "midflight")
    with run() as runtime:
        shutil.rmtree(state_dir)
        if replaced:
            state_dir.mkdir(mode=0o700)
        assert change(runtime, 2).ok
        assert change(runtime, 3).ok

        assert "state" not in runtime.notes
    assert "was removed or replaced" in caplog.text
    assert caplog.text.count(AGAIN) == 1
    source.fail(OSError("down"))
    with run() as runtime:
        assert number_of(runtime) == 3


def test_a_new_directory_gets_what_is_in_force_without_a_change(run, source, state_dir):
    """A refused change is enough to find that the directory was replaced."""
    with run() as runtime:
        shutil.rmtree(state_dir)
        source.set({"modules": [{"name": "web", "type": "nonsense"}]})
        assert not runtime.reload().ok
    source.fail(OSError("down"))

    with run() as runtime:
        assert number_of(runtime) == 1


def test_a_disk_that_hangs_holds_up_no_change(source, disk, state_dir, caplog):
    """Changes are judged without it, and the status says so until it answers."""
    free, inside = threading.Event(), threading.Event()

    def sync(handle):
        inside.set()
        free.wait(20)

    runtime = Runtime(source, state_dir=state_dir)
    keeper = Keeper(runtime, disk)
    keeper.open()
    disk.sync = sync
    ended = Applied(reason=cast("Any", "changed"))
    hung = threading.Thread(target=keeper.ended, args=(ended,))
    hung.start()
    assert inside.wait(20)
    for _ in range(2):
        keeper.judge(Document(), Document())
        keeper.token()

    assert "has not answered" in runtime.notes["state"]
    assert caplog.text.count(SAID) == 1
    free.set()
    hung.join()
    assert "state" not in runtime.notes
    keeper.close()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_directory_that_others_may_write_is_refused(run, state_dir, caplog, mode):
    """Whoever could put a configuration there would run the service."""
    state_dir.mkdir()
    state_dir.chmod(mode)
    with run() as runtime:
        assert number_of(runtime) == 1
        assert f"others may write {state_dir}" in runtime.notes["state"]
        owned = [each.name for each in state_dir.iterdir()]

    assert not {"journal.db", "lock", "state.key"} & set(owned)
    assert f"E_STATE: {SAID}" in caplog.text


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o711])
def test_a_directory_that_others_may_read_is_closed_to_them(run, state_dir, mode):
    """As the one that systemd makes by default."""
    state_dir.mkdir()
    state_dir.chmod(mode)
    with run() as runtime:
        assert "state" not in runtime.notes

    assert state_dir.stat().st_mode & 0o777 == 0o700


def test_a_directory_of_somebody_else_is_refused(run, state_dir, monkeypatch):
    """Its owner could change everything in it."""
    state_dir.mkdir(mode=0o700)
    owner = state_dir.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)

    with run() as runtime:
        assert f"belongs to user {owner}" in runtime.notes["state"]


def test_a_file_in_the_way_is_no_directory(run, state_dir):
    """The service says so and goes on."""
    state_dir.write_text("not a directory")

    with run() as runtime:
        assert "is no directory" in runtime.notes["state"]


def test_a_second_process_goes_on_without_state(run, change, state_dir, source):
    """The first keeps the directory to itself; the second says who has it."""
    with run() as first, run() as second:
        assert f"in use by process {os.getpid()}" in second.notes["state"]
        assert "state" not in first.notes
        assert change(second, 2).ok

        assert change(first, 3).ok
        assert verify(state_dir).is_sound


def test_the_second_takes_over_when_the_first_has_gone(run, change, state_dir, source):
    """As at a restart that lets both run for a while."""
    first = run()
    first.start()
    with run() as second:
        first.stop()
        change(second, 2)

        assert "state" not in second.notes
    source.fail(OSError("down"))
    with run() as third:
        assert number_of(third) == 2


def test_what_a_killed_process_left_half_written_is_removed(run, state_dir):
    """Temporary files do not pile up."""
    state_dir.mkdir(mode=0o700)
    left = state_dir / ".last-good.000000000001.4711.tmp"
    left.write_bytes(b"half")
    with run():
        assert not left.exists()


def test_a_forked_child_takes_nothing_from_its_parent(state_dir):
    """It neither writes there nor ends the lock when it ends."""
    folder = Folder(state_dir, Disk())
    child = os.fork()
    if not child:
        folder.close()
        os._exit(0)
    os.waitpid(child, 0)
    program = "import sys; from pathlib import Path; "
    program += "from midflight_plugins.state._folder import Folder; "
    program += "from midflight_plugins.state._disk import Disk; "
    program += "Folder(Path(sys.argv[1]), Disk())"
    done = subprocess.run(
        [sys.executable, "-c", program, state_dir], capture_output=True, check=False
    )
    folder.close()

    assert b"is in use by process" in done.stderr


# A service whose files cannot grow any more, then can again.
LIMITED = """
import resource, signal, sys
from midflight import Runtime
from midflight.testing import FakeModule, FakeSource
def config(n):
    web = {"name": "web", "type": "fake", "config": {"n": n, "text": "x" * 4000}}
    return {"modules": [web]}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
source = FakeSource(config(1))
with Runtime(source, state_dir=sys.argv[1], modules={"fake": FakeModule}) as runtime:
    assert "state" not in runtime.notes, runtime.notes
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    for n in range(2, 5):
        source.set(config(n))
        assert runtime.reload().ok
    assert "state" in runtime.notes
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    source.set(config(5))
    assert runtime.reload().ok
    assert "state" not in runtime.notes, runtime.notes
"""


def test_a_file_that_may_not_grow_is_survived(state_dir):
    """With the limit of the operating system itself, SQLite's own writes included."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, state_dir],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    generations = [each["generation"] for each in last_records(state_dir, 9)]

    assert done.returncode == 0, done.stderr
    assert done.stderr.count(SAID) == 1
    assert verify(state_dir).is_sound
    assert generations == [5, 4, 3, 2, 1]


@pytest.fixture
def tiny(tmp_path):
    """Return a file system of 1 MiB, where one may be mounted."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_file_system_is_survived(tiny, run, change, source):
    """A real one: full in the middle of a run, then with room again."""
    with run(state_dir=tiny) as runtime:
        ballast = tiny / "ballast"
        fill = ["dd", "if=/dev/zero", f"of={ballast}", "bs=4096"]
        assert subprocess.run(fill, capture_output=True, check=False).returncode
        for number in range(2, 30):
            assert change(runtime, number).ok
        assert "state" in runtime.notes
        ballast.unlink()
        assert change(runtime, 30).ok
        assert "state" not in runtime.notes
    assert verify(tiny).is_sound
    assert len(last_records(tiny, 99)) == 30
    source.fail(OSError("down"))
    with run(state_dir=tiny) as runtime:
        assert number_of(runtime) == 30


def test_the_seam_sees_every_operation(run, disk, change):
    """The tests above can fail: each kind of operation is made through the seam."""
    with run() as runtime:
        for number in range(2, 6):
            change(runtime, number)

    assert set(disk.made) == set(OPERATIONS) - {""}
