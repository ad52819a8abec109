"""Other plugins read the journal, add to it, and get back what was in force."""

from __future__ import annotations

import errno

from midflight_plugins.state._reading import last_records, verify

from .conftest import number_of


def journal(runtime, limit=9, before=None):
    """Ask for the journal as a plugin does."""
    return runtime.hook.journal(limit=limit, before=before, runtime=runtime)


def record(runtime, **entry):
    """Write something down as a plugin does."""
    runtime.hook.record(entry=entry, runtime=runtime)


def restore(runtime, digest):
    """Ask for what was in force as a plugin does."""
    return runtime.hook.restore(digest=digest, runtime=runtime)


def test_the_journal_is_read_in_pages(run, change):
    """`limit` of the newest records, then those before the last of a page."""
    with run() as runtime:
        for number in range(2, 6):
            change(runtime, number)
        first = journal(runtime, 2)
        second = journal(runtime, 2, before=first[-1]["number"])

    assert [each["number"] for each in (*first, *second)] == [5, 4, 3, 2]


def test_without_a_state_directory_nobody_keeps_a_journal(run):
    """Who asks can tell that from a journal that is empty."""
    with run(state_dir=None) as runtime:
        record(runtime, outcome="rejected")

        assert journal(runtime) is None
        assert restore(runtime, runtime.snapshot.digest) is None


def test_a_refused_request_is_written_down(run, state_dir):
    """It takes its place in the chain, with who asked and why it was refused."""
    fault = {"code": "E_SCOPE", "text": "E_SCOPE: this needs the scope `write:web`"}
    entry = {"outcome": "rejected", "reason": "request_refused", "actor": "token ci"}
    with run() as runtime:
        record(runtime, **entry, faults=[fault])
        [newest] = journal(runtime, 1)

    assert newest.items() >= entry.items()
    assert newest["faults"] == [fault]
    assert verify(state_dir).is_sound
    assert verify(state_dir).records == 2


def test_what_is_written_down_is_bounded(run, state_dir):
    """One request can fill neither the disk nor a terminal."""
    faults = [{"code": "E", "text": "x" * 10_000}] * 1_000
    with run() as runtime:
        record(
            runtime, outcome="rejected", actor="\x1b[31m" + "a" * 9_999, faults=faults
        )
        [newest] = last_records(state_dir, 1)

    assert len(str(newest)) < 20_000
    assert newest["actor"].startswith("\\x1b")


def test_a_disk_that_fails_does_not_fail_who_writes_down(run, disk, state_dir, change):
    """The status says it, and the record follows when the disk works again."""
    with run() as runtime:
        disk.error = errno.EIO
        record(runtime, outcome="rejected", actor="eve")
        state = runtime.status()["notes"]["state"]
        disk.error = 0
        change(runtime, 2)
        actors = [each["actor"] for each in journal(runtime)]

    assert "nothing is kept" in state
    assert actors == ["", "eve", ""]


def test_what_was_in_force_comes_back_as_it_was(run, change, state_dir):
    """By its digest, also one that an earlier process applied, to the byte."""
    with run() as runtime:
        digest, document = runtime.snapshot.digest, runtime.snapshot.loaded.document
        change(runtime, 2)
    with run() as runtime:
        found = restore(runtime, digest)

        assert number_of(runtime) == 2
        assert found.document.digest == document.digest
        assert restore(runtime, "0" * 64) is None


def test_a_damaged_file_brings_nothing_back(run, change, state_dir):
    """It is worth as much as one that is gone."""
    with run() as runtime:
        digest = runtime.snapshot.digest
        change(runtime, 2)
        first = min(state_dir.glob("last-good.*"))
        first.write_bytes(first.read_bytes()[:-1])

        assert restore(runtime, digest) is None
