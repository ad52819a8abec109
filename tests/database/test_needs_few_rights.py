"""The roles of the how-to can do what they are for, and nothing more."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from midflight import Document, Runtime
from midflight.errors import MidflightError
from midflight_plugins.database import DatabaseSource
from midflight_plugins.database._schema import upgrade

pytestmark = pytest.mark.xdist_group("roles")
ROLES = ("config_follower", "config_writer")


def document(rate):
    """Return a configuration that its rate tells from others."""
    return Document.from_mapping({"limits": {"rate": rate}})


@pytest.fixture
def urls(root, postgres_server, postgres_database, postgres_url):
    """Return the URL of each role that the how-to makes, on tables of an admin's."""
    page = (root / "docs/how-to/database.md").read_text()
    (statements,) = re.findall(r"```text\n(CREATE ROLE.*?)```", page, re.DOTALL)
    upgrade(DatabaseSource(postgres_url).settings)
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as admin:
        for each in filter(str.strip, statements.split(";")):
            admin.exec_driver_sql(each)
        for role in ROLES:
            admin.exec_driver_sql(f"ALTER ROLE {role} PASSWORD 'known'")
        yield {
            role: postgres_server.url(postgres_database, user=role, password="known")
            for role in ROLES
        }
        for role in ROLES:
            admin.exec_driver_sql(f"DROP OWNED BY {role}")
            admin.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()


def test_a_follower_reads_and_follows(urls):
    """What a writer puts reaches a service that may only read."""
    writer = Runtime(DatabaseSource(urls["config_writer"]))
    writer.put(document(1), expected_version=None, author="ada", message="first")
    follower = DatabaseSource(urls["config_follower"])
    with Runtime(follower, watch=True) as runtime:
        writer.put(document(2), expected_version=1)
        runtime.wait(generation=2, timeout=10)

        assert runtime.snapshot.document == document(2)


def test_a_follower_cannot_see_what_was_taken_out(urls):
    """Old versions may hold what a service shall not know any more."""
    with pytest.raises(MidflightError, match=r"InsufficientPrivilege|permission"):
        Runtime(DatabaseSource(urls["config_follower"])).history()


def test_a_follower_cannot_put(urls):
    """Nobody who took over a service can change what all services do."""
    with pytest.raises(MidflightError, match=r"InsufficientPrivilege|permission"):
        Runtime(DatabaseSource(urls["config_follower"])).put(
            document(1), expected_version=None
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE config_document_history SET changed_by = 'nobody'",
        "DELETE FROM config_document_history",
        "DELETE FROM config_documents",
        "DROP TABLE config_documents",
        "UPDATE midflight_schema SET version_num = 'x'",
    ],
)
def test_a_writer_cannot_change_history(urls, statement):
    """Who puts adds to the history; what stands there stays."""
    engine = sa.create_engine(urls["config_writer"])
    with (
        engine.connect() as connection,
        pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|owner"),
    ):
        connection.exec_driver_sql(statement)

    engine.dispose()
