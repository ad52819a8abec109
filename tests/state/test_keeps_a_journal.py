"""Each decision leaves a record, and no record changes unseen."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from midflight import hookimpl
from midflight.testing import FakeModule
from midflight_plugins.state._disk import Disk, StateError
from midflight_plugins.state._folder import Folder
from midflight_plugins.state._journal import GENESIS, Journal, Link
from midflight_plugins.state._reading import last_records, one_record, verify

from .conftest import config


@contextlib.contextmanager
def opened(state_dir, keep=10_000, age=None):
    """Open a journal for writing."""
    folder = Folder(state_dir, Disk())
    journal = Journal(folder, keep, age)
    try:
        yield journal
    finally:
        journal.close()
        folder.close()


@contextlib.contextmanager
def edited(state_dir):
    """Edit a journal behind its back."""
    with contextlib.closing(sqlite3.connect(state_dir / "journal.db")) as database:
        yield database
        database.commit()


@pytest.fixture
def small(state_dir):
    """A journal of three records."""
    with opened(state_dir) as journal:
        for number in range(1, 4):
            journal.append({"at": float(number), "outcome": "applied", "é": "ü"})
    return state_dir


@pytest.mark.no_canaries("it names every path")
def test_a_change_is_recorded_with_all_that_was_decided(run, source, state_dir):
    """Who, why, from which digest to which, what differs by name, each step."""
    with run() as runtime:
        before = runtime.snapshot.digest
        source.set(config(2, site={"colour": "red"}))
        runtime.reload(actor="ada")
        digest = runtime.snapshot.digest
        record = last_records(state_dir, 1)[0]

    assert record["number"] == 2
    assert (record["cause"], record["actor"]) == ("reload", "ada")
    assert (record["base"], record["digest"]) == (before, digest)
    assert (record["outcome"], record["reason"]) == ("applied", "changed")
    assert record["generation"] == 2
    assert record["changes"]["modified"] == ["web"]
    assert record["changes"]["sections"] == ["site"]
    assert record["changes"]["paths"] == ["modules.web.config.n", "site"]
    [step] = record["steps"]
    assert (step["action"], step["module"]) == ("restart", "web")
    assert step["result"] == "done"
    assert step["seconds"] > 0
    assert (record["source"], record["version"]) == ("fake", 1)
    assert record["at"] > 1_700_000_000


def test_what_was_refused_is_recorded_too(run, source, state_dir):
    """With each fault's code and text, and what it was about."""
    with run() as runtime:
        source.set(config(2) | {"modules": [{"name": "web", "type": "nonsense"}]})
        runtime.reload()
        source.fail(OSError("the disk burns"))
        runtime.reload()
    down, refused, _ = last_records(state_dir, 3)

    assert refused["outcome"] == "rejected"
    assert [fault["code"] for fault in refused["faults"]] == ["E_MODULETYPE"]
    assert "nonsense" in refused["faults"][0]["text"]
    assert refused["changes"]["modified"] == ["web"]
    assert down["reason"] == "source_unavailable"
    assert "the disk burns" in down["faults"][0]["text"]


def test_steps_that_were_taken_back_say_so(run, source, state_dir):
    """Which failed, which were undone, and which were not reached."""

    class Fragile(FakeModule):
        @hookimpl
        def reconfigure(self, config):
            if self.name == "b" and config["n"] == 2:
                raise ValueError("no")

    def three(number):
        return {
            "modules": [
                {"name": name, "type": "fragile", "config": {"n": number}}
                for name in "abc"
            ]
        }

    source.set(three(1))
    with run(modules={"fragile": Fragile}) as runtime:
        source.set(three(2))
        runtime.reload()
    [record] = last_records(state_dir, 1)
    results = {step["module"]: step["result"] for step in record["steps"]}

    assert record["outcome"] == "rolled_back"
    assert results == {"a": "undone", "b": "failed", "c": "not begun"}


def test_values_never_come_into_it(run, source, state_dir):
    """Names of keys do; what stands behind them does not."""
    source.set(config(1, login={"phrase": "canary-1"}))
    with run() as runtime:
        for number in range(2, 5):
            source.set(config(1, login={"phrase": f"canary-{number}"}))
            runtime.reload()

    assert "login.phrase" in str(last_records(state_dir, 9))
    assert "canary" not in str(last_records(state_dir, 9))


def test_the_chain_goes_on_after_a_restart(run, change, state_dir):
    """Records of several processes are one chain."""
    for number in range(3):
        with run() as runtime:
            change(runtime, number + 10)
    report = verify(state_dir)

    assert report.is_sound
    assert report.records == report.last.number
    assert report.records >= 4


def test_it_can_be_read_while_the_service_writes(run, change, state_dir):
    """A reader sees what is committed and is in nobody's way."""
    with run() as runtime:
        for number in range(2, 20):
            change(runtime, number)

            assert verify(state_dir).is_sound
            assert last_records(state_dir, 1)[0]["generation"] == number


@pytest.mark.parametrize("column", ["body", "hash"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_flipped_byte_of_a_record_is_found(small, number, column):
    """Whichever byte of a text it is, and whichever bit: that record is named."""
    ask = f"SELECT CAST({column} AS BLOB) FROM records WHERE number = ?"
    tell = f"UPDATE records SET {column} = CAST(? AS TEXT) WHERE number = ?"
    with edited(small) as database:
        [(good,)] = database.execute(ask, (number,))
    for place in range(len(good)):
        for bit in (1, 32, 128):
            changed = good[:place] + bytes([good[place] ^ bit]) + good[place + 1 :]
            with edited(small) as database:
                database.execute(tell, (changed, number))
            report = verify(small)

            assert not report.is_sound
            assert f"record {number} " in report.broken
    with edited(small) as database:
        database.execute(tell, (good, number))

    assert verify(small).is_sound


def test_every_flipped_byte_of_the_head_is_found(small):
    """The file that is kept apart counts as well."""
    head = small / "journal.head"
    good = head.read_bytes()
    for place in range(len(good)):
        head.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])

        assert not verify(small).is_sound
    head.write_bytes(good)

    assert verify(small).is_sound


@pytest.mark.parametrize(
    ("edit", "broken"),
    [
        ("DELETE FROM records WHERE number = 3", "record 3 is missing"),
        ("DELETE FROM records WHERE number >= 2", "record 2 is missing"),
        ("DELETE FROM records WHERE number = 1", "record 1 is missing"),
        ("DELETE FROM records", "record 1 is missing"),
        ("UPDATE records SET number = 9 WHERE number = 3", "record 3 is missing"),
        ("UPDATE anchor SET hash = 'x'", "record 1 is not as it was"),
        ("UPDATE anchor SET number = 1", "record 2 is missing"),
        ("DELETE FROM anchor", "damaged"),
        ("DROP TABLE records", "damaged"),
    ],
)
def test_what_was_cut_off_is_found(small, edit, broken):
    """At the end, in the middle, at the beginning."""
    with edited(small) as database:
        database.execute(edit)
    report = verify(small)

    assert not report.is_sound
    assert broken in report.broken


def test_a_cut_tail_stays_found_when_the_service_goes_on(small):
    """New records do not cover up that others are gone."""
    with edited(small) as database:
        database.execute("DELETE FROM records WHERE number = 3")
    with opened(small) as journal:
        assert journal.append({"at": 4.0}) == 4

    assert verify(small).broken == "record 3 is missing"


def test_a_lost_head_stays_found_when_the_service_goes_on(small):
    """Who removes it to cut the tail unseen leaves a break instead."""
    (small / "journal.head").unlink()
    assert "journal.head is missing" in verify(small).broken
    with opened(small) as journal:
        journal.append({"at": 4.0})

    assert verify(small).broken == "record 4 is not as it was written"


def test_a_journal_written_anew_is_found_by_an_anchor(small):
    """Whoever can write all of it can make another; a hash kept elsewhere tells."""
    anchor = verify(small).last.hash
    for each in small.glob("journal.*"):
        each.unlink()
    with opened(small) as journal:
        for number in range(1, 6):
            journal.append({"at": float(number)})

    assert verify(small).is_sound
    assert verify(small, anchor).anchored is False
    assert verify(small, verify(small).last.hash).is_sound


def test_old_records_go_and_what_is_left_is_proven(state_dir):
    """By count; the anchor takes the place of what is gone."""
    with opened(state_dir, keep=5) as journal:
        for number in range(1, 13):
            journal.append({"at": float(number)})
            anchor = verify(state_dir).last.hash if number == 7 else ""
            assert verify(state_dir, anchor or None).is_sound
    numbers = [record["number"] for record in last_records(state_dir, 99)]

    assert numbers == [12, 11, 10, 9, 8]
    assert one_record(state_dir, 7) is None
    assert verify(state_dir).is_sound
    with edited(state_dir) as database:
        database.execute("DELETE FROM records WHERE number = 8")
    assert verify(state_dir).broken == "record 8 is missing"


def test_old_records_go_by_age(state_dir):
    """Those older than allowed, at the next record."""
    import time

    now = time.time()
    with opened(state_dir, age=100.0) as journal:
        for age in (900, 500, 50, 0):
            journal.append({"at": now - age})
    times = [round(now - record["at"]) for record in last_records(state_dir, 9)]

    assert times == [0, 50]
    assert verify(state_dir).is_sound


def test_the_limits_come_from_the_environment(run, change, state_dir, monkeypatch):
    """Where nobody writes Python."""
    monkeypatch.setenv("MIDFLIGHT_JOURNAL_RECORDS", "2")
    with run() as runtime:
        for number in range(2, 6):
            change(runtime, number)

    assert len(last_records(state_dir, 99)) == 2


def test_a_limit_that_is_none_is_ignored_and_said(run, caplog, monkeypatch):
    """The default holds."""
    monkeypatch.setenv("MIDFLIGHT_JOURNAL_RECORDS", "many")
    with run():
        pass

    assert "MIDFLIGHT_JOURNAL_RECORDS is ignored: `many` is no number" in caplog.text


def test_a_damaged_journal_is_moved_aside_and_the_gap_stays(run, change, state_dir):
    """The service goes on with a new one; the old is kept to be looked at."""
    with run() as runtime:
        change(runtime, 2)
    (state_dir / "journal.db").write_bytes(b"no database" * 999)
    assert "damaged" in verify(state_dir).broken
    with run() as runtime:
        change(runtime, 3)
    [aside] = state_dir.glob("journal.db.damaged-*")

    assert aside.read_bytes().startswith(b"no database")
    assert [record["number"] for record in last_records(state_dir, 9)] == [4, 3]
    assert verify(state_dir).broken == "record 1 is missing"


def test_a_journal_removed_under_a_service_is_said_and_begun_anew(
    run, change, state_dir, caplog
):
    """What is decided then is not written where nobody can read it; the gap stays."""
    with run() as runtime:
        change(runtime, 2)
        for path in state_dir.glob("journal.db*"):
            path.unlink()
        change(runtime, 3)
        change(runtime, 4)
        numbers = [record["number"] for record in last_records(state_dir, 9)]

    assert numbers == [4, 3]
    assert caplog.text.count("journal.db was removed or replaced") == 1
    assert verify(state_dir).broken == "record 1 is missing"


def test_a_damaged_schema_is_a_damaged_journal(small, run):
    """SQLite quotes it in its error, in bytes that are no text."""
    path = small / "journal.db"
    path.write_bytes(path.read_bytes().replace(b"TABLE records", b"TABL\xbe records"))
    with pytest.raises(StateError, match="cannot be read"):
        last_records(small, 9)

    with run() as runtime:
        assert "state" not in runtime.notes
    assert list(small.glob("journal.db.damaged-*"))


def test_a_journal_of_a_newer_version_is_left_alone(small, run):
    """Nothing is written into what this version does not know."""
    with edited(small) as database:
        database.execute("PRAGMA user_version = 9")

    with run() as runtime:
        assert "of a newer version (9)" in runtime.notes["state"]


def test_a_link_depends_on_all_before_it():
    """The oracle of the chain: another forerunner, number or body, another hash."""
    links = {
        Link().then("a").hash,
        Link().then("b").hash,
        Link(1).then("a").hash,
        Link(0, "1" * 64).then("a").hash,
    }

    assert len(links) == 4
    assert GENESIS not in links
