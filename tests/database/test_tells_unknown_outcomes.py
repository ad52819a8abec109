"""A commit whose answer was lost: found, certainly absent, or said to be unknown."""

from __future__ import annotations

import threading
import time

import pytest
import sqlalchemy as sa

from midflight.errors import SourceUnavailableError, UnknownOutcomeError

MORE = {"author": "ada", "message": "", "digest": "d"}


class Line:
    """What happens to a store's connections when it says COMMIT, once.

    Args:
        before: called with the driver's connection instead of the commit.
        after: called after it.
        gone: whether nothing can be connected to from then on.
    """

    def __init__(self, store, *, before=None, after=None, gone=False):
        self.engine, self.cut = store._engine, False
        self.before, self.after, self.gone = before, after, gone
        sa.event.listen(self.engine, "before_cursor_execute", self._before)
        sa.event.listen(self.engine, "after_cursor_execute", self._after)
        sa.event.listen(self.engine, "connect", self._connect)

    def _before(self, connection, _cursor, statement, *_):
        if statement == "COMMIT" and not self.cut and self.before:
            self.before(connection.connection.driver_connection)
            self._lose()

    def _after(self, connection, _cursor, statement, *_):
        if statement == "COMMIT" and not self.cut and self.after:
            self._lose()

    def _connect(self, *_):
        if self.cut and self.gone:
            raise self.engine.dialect.dbapi.OperationalError("connection refused")

    def _lose(self):
        self.cut = True
        raise self.engine.dialect.dbapi.OperationalError("the line went dead")


def put(store, text, base):
    """Put a text."""
    return store.put("k", text, expected=base, **MORE)


@pytest.mark.parametrize("base", [None, 1])
def test_a_commit_that_was_done_is_found(open_store, database_url, base):
    """The version is returned as if the answer had come."""
    store = open_store(database_url)
    if base:
        put(store, b"1", None)
    Line(store, after=True)
    version = put(store, b"new", base)

    assert version == (base or 0) + 1
    assert store.head("k").data == b"new"


@pytest.mark.parametrize("base", [None, 1])
def test_a_commit_that_was_not_done_is_said_to_be_absent(
    open_store, database_url, base
):
    """It failed for certain: the source was unavailable, and nothing is stored."""
    store = open_store(database_url)
    if base:
        put(store, b"1", None)
    Line(store, before=lambda connection: connection.close())

    with pytest.raises(SourceUnavailableError, match="the line went dead"):
        put(store, b"new", base)
    assert len(store.history("k", 9)) == (base or 0)
    assert put(store, b"new", base) == (base or 0) + 1


@pytest.mark.parametrize("done", [True, False])
def test_what_nobody_can_tell_is_unknown(open_store, database_url, done):
    """A database that stays away gives a write id, which resolves it later."""
    mark = "&" if "?" in database_url else "?"
    store, other = (
        open_store(f"{database_url}{mark}timeout=0.5"),
        open_store(database_url),
    )
    line = Line(
        store,
        after=done,
        before=None if done else lambda connection: connection.close(),
        gone=True,
    )
    with pytest.raises(UnknownOutcomeError) as caught:
        put(store, b"1", None)

    assert caught.value.write_id in str(caught.value)
    assert other.resolve(caught.value.write_id) == (("k", 1) if done else None)
    line.gone = False


@pytest.mark.servers
@pytest.mark.parametrize("base", [None, 1])
@pytest.mark.parametrize("server", ["postgres_url", "mariadb_url"])
def test_a_commit_that_is_under_way_is_waited_for(
    open_store, original, request, server, base
):
    """The server goes on with what it was told, though its client is gone."""
    url = request.getfixturevalue(server)
    store = open_store(url)
    if base:
        put(store, b"1", None)
    session = original(url).engine.connect()
    timer = threading.Timer(0.5, session.commit)

    def elsewhere(connection):
        """Do in another session what this one did, and commit it late."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT write_id FROM config_documents")
            [(write_id,)] = cursor.fetchall()
        connection.close()
        say(session, base, write_id)
        timer.start()

    Line(store, before=elsewhere)
    version = put(store, b"new", base)
    timer.join()
    session.close()

    assert version == (base or 0) + 1


def say(session, base, write_id):
    """Write a head and a row of history, uncommitted."""
    key = session.dialect.identifier_preparer.quote("key")
    run = session.exec_driver_sql
    if base:
        run("UPDATE config_documents SET version = version + 1")
    else:
        run(
            f"INSERT INTO config_documents ({key}, data, hash, version) "
            "VALUES ('k', 'new', '', 1)"
        )
    run(
        f"INSERT INTO config_document_history ({key}, data, hash, version, write_id) "
        f"VALUES ('k', 'new', '', {(base or 0) + 1}, '{write_id}')"
    )


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
@pytest.mark.parametrize("new", [False, True])
def test_a_server_that_does_not_answer_is_given_up(
    open_store, request, tcp_proxy, kind, new
):
    """Every statement and connect ends, also where a peer takes what is sent."""
    server = request.getfixturevalue(f"{kind}_server")
    url = request.getfixturevalue(f"{kind}_url")
    proxy = tcp_proxy(server.port)
    behind = url.replace(f":{server.port}", f":{proxy.port}")
    mark = "&" if "?" in behind else "?"
    store = open_store(f"{behind}{mark}timeout=1")
    put(store, b"1", None)
    if new:
        store.close()
    proxy.freeze()
    began = time.monotonic()

    with pytest.raises(SourceUnavailableError):
        store.head("k")
    with pytest.raises(SourceUnavailableError):
        put(store, b"2", 1)
    # 1 s each, a second try, and what a busy machine adds.
    assert time.monotonic() - began < 12
    proxy.cut()
    proxy.thaw()
    assert store.head("k").data == b"1"


def test_a_locked_sqlite_file_is_given_up(open_store, sqlite_url, original):
    """A put ends within the timeout while another process keeps the lock."""
    store = open_store(f"{sqlite_url}?timeout=0.3")
    with original(sqlite_url).engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")

        with pytest.raises(SourceUnavailableError, match="database is locked"):
            put(store, b"1", None)
        assert store.head("k") is None
        other.exec_driver_sql("ROLLBACK")
    assert put(store, b"1", None) == 1
