"""The tables: created, adopted from the original, upgraded, and known by revision."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from midflight import Document, Runtime
from midflight.errors import SourceUnavailableError
from midflight_plugins.database import DatabaseSource
from midflight_plugins.database._schema import REVISIONS, State, upgrade
from midflight_plugins.database._tables import documents, history
from midflight_plugins.database._url import parsed

DOCUMENT = Document.from_mapping({"platform": 1})


def settings(url):
    """Return the settings of a database."""
    return parsed(url)[0]


def execute(url, *statements):
    """Run statements beside the source."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def columns(url):
    """Return the columns and indexes of the two tables, as the database tells them."""
    look = sa.inspect(sa.create_engine(url, poolclass=sa.NullPool))
    return {
        table.name: (
            {column["name"] for column in look.get_columns(table.name)},
            {index["name"] for index in look.get_indexes(table.name)},
        )
        for table in (documents, history)
    }


def test_an_upgrade_creates_every_column(database_url):
    """An empty database has every column and index afterwards; again is harmless."""
    first, again = upgrade(settings(database_url)), upgrade(settings(database_url))
    there = columns(database_url)

    assert first == (State.NONE, State.OURS)
    assert again == (State.OURS, State.OURS)
    for table in (documents, history):
        assert there[table.name][0] == set(table.columns.keys())
    assert there["config_documents"][1] == {"idx_config_documents_updated_at"}
    assert there["config_document_history"][1] == {
        "idx_config_history_key",
        "idx_midflight_order",
        "idx_midflight_write",
    }


def test_an_upgrade_adopts_the_tables_of_the_original(database_url, original):
    """Its rows stay, it goes on writing, and what it writes is read."""
    other = original(database_url)
    other.create()
    other.put("default", "platform: 1")
    before_and_after = upgrade(settings(database_url))
    other.put("default", "platform: 2")
    other.put("new", "platform: 3")
    source = DatabaseSource(database_url)

    assert before_and_after == (State.ORIGINAL, State.OURS)
    assert Runtime(source).read()[0] == Document.from_mapping({"platform": 2})
    assert [v.version for v in source.history(9)] == [2, 1]
    source.close()


def test_the_original_reads_what_we_write(database_url, original):
    """Its columns hold what it expects: data, the sha256 of it, and version."""
    upgrade(settings(database_url))
    source = DatabaseSource(database_url)
    Runtime(source).put(DOCUMENT, expected_version=None, text="platform: 1")
    head = original(database_url).head("default")
    source.close()

    assert bytes(head.data) == b"platform: 1"
    assert head.version == 1
    assert original(database_url).versions("default") == [(1, "platform: 1")]
    assert original(database_url).put("default", "platform: 2") == 2


def test_upgrades_at_once_do_not_meet(database_url):
    """Several processes that begin at the same moment leave one sound schema."""
    errors = []

    def run():
        try:
            upgrade(settings(database_url))
        except Exception as exc:  # noqa: BLE001  # the test shows it
            errors.append(exc)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert upgrade(settings(database_url)) == (State.OURS, State.OURS)


def test_an_upgrade_that_was_cut_goes_on(database_url):
    """Columns that are there already are no obstacle to the rest."""
    upgrade(settings(database_url))
    drop = "ALTER TABLE config_document_history DROP COLUMN message"
    execute(database_url, drop, "UPDATE midflight_schema SET version_num = '0001'")

    assert upgrade(settings(database_url)) == (State.ORIGINAL, State.OURS)
    assert "message" in columns(database_url)["config_document_history"][0]


def test_no_tables_is_an_error_that_says_what_to_run(database_url):
    """Reading an empty database names the command; nothing is created."""
    if not database_url.startswith("sqlite"):
        source = DatabaseSource(database_url)
        with pytest.raises(SourceUnavailableError, match="midflight db upgrade"):
            Runtime(source).read()
        source.close()


def test_tables_of_a_later_release_are_refused(database_url):
    """The error names both revisions and what to upgrade, for reads and writes."""
    upgrade(settings(database_url))
    execute(database_url, "UPDATE midflight_schema SET version_num = '0099'")
    source = DatabaseSource(database_url)
    told = f"revision 0099, this release knows {REVISIONS[-1]}; upgrade midflight"

    with pytest.raises(SourceUnavailableError, match=told):
        Runtime(source).read()
    with pytest.raises(SourceUnavailableError, match=told):
        Runtime(source).put(DOCUMENT, expected_version=None)
    source.close()


def test_tables_that_come_later_are_found(database_url, original):
    """A source that found no tables finds them once they are there."""
    if database_url.startswith("sqlite"):
        execute(database_url, "CREATE TABLE other (x INTEGER)")
    source = DatabaseSource(database_url)
    with pytest.raises(SourceUnavailableError, match="midflight db upgrade"):
        source.hash()
    upgrade(source.settings)
    original(database_url).put("default", "platform: 1")

    assert Runtime(source).read()[0] == DOCUMENT
    source.close()


def test_reading_creates_no_sqlite_file(sqlite_url, tmp_path):
    """A wrong path is an error, not an empty database."""
    source = DatabaseSource(sqlite_url)

    with pytest.raises(SourceUnavailableError, match="there is no file") as caught:
        Runtime(source).read()
    told = f"there is no file {tmp_path}/config.db; `midflight put` makes it"
    assert told in str(caught.value)
    assert "OperationalError" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    """No put can make it."""
    source = DatabaseSource(f"sqlite:///{tmp_path}/no/config.db")

    with pytest.raises(SourceUnavailableError, match=f"no folder {tmp_path}/no"):
        Runtime(source).read()
    with pytest.raises(SourceUnavailableError, match=f"no folder {tmp_path}/no"):
        Runtime(source).put(DOCUMENT, expected_version=None)


def test_a_put_creates_a_sqlite_file_with_its_tables(sqlite_url):
    """The embedded database needs no administrator."""
    source = DatabaseSource(sqlite_url)
    version = Runtime(source).put(DOCUMENT, expected_version=None)

    assert version == 1
    assert Runtime(source).read()[0] == DOCUMENT
    source.close()


def test_a_watch_creates_a_sqlite_file_with_its_tables(sqlite_url):
    """A service that follows a database can be started before its first put."""
    source = DatabaseSource(sqlite_url)
    with source.watch(lambda: None):
        pass

    assert upgrade(source.settings) == (State.OURS, State.OURS)


def test_a_put_into_another_ones_sqlite_file_creates_nothing(sqlite_url):
    """A file with tables of somebody else is not ours to change unasked."""
    execute(sqlite_url, "CREATE TABLE other (x INTEGER)")
    source = DatabaseSource(sqlite_url)

    with pytest.raises(SourceUnavailableError, match="midflight db upgrade"):
        Runtime(source).put(DOCUMENT, expected_version=None)
    source.close()


def test_another_file_in_its_place_is_read(sqlite_url, tmp_path):
    """A database restored from a copy is not read from the file that is gone."""
    source = DatabaseSource(sqlite_url)
    runtime = Runtime(source)
    runtime.put(DOCUMENT, expected_version=None)
    other = DatabaseSource(f"sqlite:///{tmp_path}/other.db")
    Runtime(other).put(Document.from_mapping({"platform": 2}), expected_version=None)
    other.close()
    runtime.read()
    for path in tmp_path.glob("config.db?*"):
        path.unlink()
    (tmp_path / "other.db").replace(tmp_path / "config.db")

    assert runtime.read()[0] == Document.from_mapping({"platform": 2})
    source.close()


def test_importing_the_plugin_imports_no_sqlalchemy():
    """Neither the plugin nor its commands cost a program that does not use them."""
    code = (
        "import sys, midflight_plugins.database, midflight_plugins.database._commands\n"
        "print({'sqlalchemy', 'alembic', 'psycopg', 'pymysql'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout == "set()\n"


def test_making_a_database_logs_nothing_of_alembic(tmp_path):
    """Who runs a service on a new file reads of the service, not of our tools."""
    code = (
        "import logging, sys\n"
        "from midflight_plugins.database import DatabaseSource\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "from midflight import Document, Runtime\n"
        f"source = DatabaseSource('sqlite:///{tmp_path}/new.db')\n"
        "Runtime(source).put(Document.from_mapping({}), expected_version=None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "alembic" not in done.stderr


@pytest.mark.parametrize("watch", [True, False])
def test_running_makes_a_missing_sqlite_database(tmp_path, watch):
    """Whoever runs on it can wait for the first put; looking once makes no file."""
    path = tmp_path / "config.db"
    with pytest.raises(SourceUnavailableError, match="there is no file"):
        Runtime(DatabaseSource(f"sqlite:///{path}")).check()
    looked = path.exists()
    with pytest.raises(SourceUnavailableError, match="holds no document"):
        Runtime(DatabaseSource(f"sqlite:///{path}"), watch=watch).start()

    assert (looked, path.exists()) == (False, True)
