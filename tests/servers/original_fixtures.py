"""The system whose tables are read: it writes there and knows no column of ours."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from datetime import UTC, datetime

import pytest


@functools.cache
def tables():
    """Return the original's tables: the documents and their history."""
    import sqlalchemy as sa
    from sqlalchemy.dialects.mysql import DATETIME, LONGBLOB

    every = sa.MetaData()
    data = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
    moment = sa.DateTime(timezone=True)
    moment = moment.with_variant(DATETIME(fsp=6), "mysql", "mariadb")
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    text = sa.Text().with_variant(sa.String(191), "mysql", "mariadb")

    def column(name, kind, default=None, **more):
        return sa.Column(name, kind, nullable=False, server_default=default, **more)

    def common():
        return (column("data", data), column("hash", text))

    now, somebody = sa.func.now(), "system"
    documents = sa.Table(
        "config_documents",
        every,
        column("key", text, primary_key=True),
        *common(),
        column("version", sa.Integer, "1"),
        column("created_at", moment, now),
        column("updated_at", moment, now),
        column("created_by", text, somebody),
    )
    history = sa.Table(
        "config_document_history",
        every,
        column("id", number, primary_key=True, autoincrement=True),
        column("key", text),
        *common(),
        column("version", sa.Integer),
        column("changed_at", moment, now),
        column("changed_by", text, somebody),
    )
    sa.Index("idx_config_documents_updated_at", documents.c.updated_at)
    sa.Index("idx_config_history_key", history.c.key, history.c.version)
    return documents, history


class Original:
    """The original system at one database.

    Attributes:
        engine: SQLAlchemy's engine, for what else a test does to the tables.
        documents: its table of that name.
        history: the other one.
    """

    def __init__(self, url):
        from sqlalchemy import create_engine

        self.engine = create_engine(url, pool_pre_ping=True)
        self.documents, self.history = tables()

    def create(self):
        """Create its tables, as its own migration does."""
        self.documents.metadata.create_all(self.engine)

    def put(self, key, text):
        """Store a document as it does, and return the version."""
        data = text.encode()
        with self.engine.begin() as connection:
            changed = connection.execute(self._update(key, data))
            if not changed.rowcount:
                row = {"key": key, "data": data, "hash": hashed(data)}
                connection.execute(self.documents.insert().values(row))
            head = connection.execute(self._head(key)).one()
            row = {"key": key, "data": head.data, "hash": head.hash}
            row["version"] = head.version
            connection.execute(self.history.insert().values(row))
            return head.version

    def edit(self, key, text):
        """Change the document by hand: neither hash nor version nor history follow."""
        change = self.documents.update().values(data=text.encode())
        with self.engine.begin() as connection:
            connection.execute(change.where(self.documents.c.key == key))

    def delete(self, key):
        """Remove the document and leave its history."""
        with self.engine.begin() as connection:
            connection.execute(
                self.documents.delete().where(self.documents.c.key == key)
            )

    def head(self, key):
        """Return the row of a document, or None."""
        with self.engine.connect() as connection:
            return connection.execute(self._head(key)).one_or_none()

    def versions(self, key):
        """Return (version, text) of every row of the history, in order of writing."""
        history = self.history.c
        rows = self.history.select().where(history.key == key).order_by(history.id)
        with self.engine.connect() as connection:
            return [
                (r.version, bytes(r.data).decode()) for r in connection.execute(rows)
            ]

    def _head(self, key):
        return self.documents.select().where(self.documents.c.key == key)

    def _update(self, key, data):
        documents = self.documents.c
        values = {"data": data, "hash": hashed(data), "updated_at": datetime.now(UTC)}
        change = self.documents.update().where(documents.key == key)
        return change.values(version=documents.version + 1, **values)


def hashed(data):
    """Return what the original keeps in the column `hash`."""
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def original():
    """The original system at a database: `original(url)` gives an `Original`."""
    with contextlib.ExitStack() as stack:

        def make(url):
            made = Original(url)
            stack.callback(made.engine.dispose)
            return made

        yield make
