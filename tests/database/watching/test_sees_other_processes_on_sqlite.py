from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import Any

import pytest

from midflight.testing import wait_until
from midflight_plugins.database import _schema
from midflight_plugins.database._hub import observed, watched
from midflight_plugins.database._url import parsed

WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    connection.execute(line)
    print("done", flush=True)
"""
UPDATE = "UPDATE config_documents SET data = x'7b7d', version = version + 1"
INSERT = (
    "INSERT INTO config_documents"
    " (key, data, hash, version, created_at, updated_at, created_by)"
    " VALUES ('app', x'00', '', 1, '', '', '')"
)


@pytest.fixture
def path(tmp_path):
    """A database with one document, `app`."""
    path = tmp_path / "config.db"
    _schema.upgrade(parsed(f"sqlite:///{path}")[0])
    with sqlite3.connect(path) as connection:
        connection.execute(INSERT)
    connection.close()
    return path


@pytest.fixture
def elsewhere(path):
    """Executes statements in another process, and waits until they are done."""
    process: Any = subprocess.Popen(
        [sys.executable, "-Ic", WRITER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )

    def execute(statement):
        process.stdin.write(statement + "\n")
        assert process.stdout.readline() == "done\n"

    yield execute
    process.communicate(timeout=10)


def settings_of(path, poll=600.0):
    """Return settings whose polls are too rare to matter."""
    return parsed(f"sqlite:///{path}", poll=poll)[0]


@pytest.mark.parametrize("mode", ["wal", "delete", "truncate", "persist"])
def test_every_commit_is_seen_at_once(path, elsewhere, mode):
    """In each journal mode, another process's commit gives a hint without a poll."""
    hints: list = []
    elsewhere(f"PRAGMA journal_mode = {mode}")
    with watched(settings_of(path), "app", lambda: hints.append(1)):
        for number in range(50):
            wait_until(lambda: len(hints) >= number, "a hint")  # noqa: B023  # called within the pass
            elsewhere(UPDATE)
        wait_until(lambda: len(hints) >= 50, "the last hint")

    assert len(hints) == 50


def test_a_slow_disk_is_waited_for(path, elsewhere):
    """A commit that comes long after the write it begins with is seen as well."""
    hints: list = []
    with watched(settings_of(path), "app", lambda: hints.append(1)):
        elsewhere("PRAGMA cache_size = 1")
        elsewhere("PRAGMA cache_spill = 1")
        elsewhere("BEGIN IMMEDIATE")
        elsewhere(UPDATE)
        elsewhere("CREATE TABLE big AS SELECT zeroblob(4000000)")  # spills
        elsewhere("COMMIT")
        wait_until(lambda: hints, "a hint")


def test_other_commits_and_files_give_no_hint(path, elsewhere):
    """Neither another table nor a neighbour file counts as a change."""
    hints: list = []
    settings = settings_of(path)
    with watched(settings, "app", lambda: hints.append(1)):
        elsewhere("CREATE TABLE other (a)")
        for _ in range(20):
            elsewhere("INSERT INTO other VALUES (1)")
            path.with_name("neighbour").write_text("x")
        before = observed(settings, "app")
        elsewhere(UPDATE)
        wait_until(lambda: hints, "a hint")
        after = observed(settings, "app")

    assert len(hints) == 1
    assert before != after


def test_a_file_put_in_its_place_is_followed(path, elsewhere):
    """After a restore by rename it is the new file that counts, as of the next look."""
    hints: list = []
    copy = path.with_name("backup.db")
    elsewhere(f"VACUUM INTO '{copy}'")
    settings = settings_of(path)
    with watched(settings, "app", lambda: hints.append(1)):
        with sqlite3.connect(copy) as connection:
            connection.execute(UPDATE)
        connection.close()
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        copy.rename(path)
        wait_until(lambda: hints, "a hint")
        hints.clear()
        with sqlite3.connect(path) as connection:
            connection.execute(UPDATE)
        connection.close()
        wait_until(lambda: hints, "a hint from the new file")


def test_a_link_leads_to_the_file(path, elsewhere, tmp_path):
    """Behind a symbolic link it is the file's own directory that is watched."""
    folder, hints = tmp_path / "linked", []
    folder.mkdir()
    link = folder / "here.db"
    link.symlink_to(path)
    with watched(settings_of(link), "app", lambda: hints.append(1)):
        elsewhere(UPDATE)
        wait_until(lambda: hints, "a hint")
