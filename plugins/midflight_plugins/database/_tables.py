"""The two tables, in the columns of the original and with ours; SQLAlchemy Core."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ColumnElement

metadata = sa.MetaData()
MYSQL = ("mysql", "mariadb")
CHANNEL = "midflight_config"  # where PostgreSQL tells of puts


class Moment(sa.types.TypeDecorator[datetime]):
    """A point in time, exact to the microsecond, always in UTC."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Return the column type of a dialect."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        if dialect.name in MYSQL:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write UTC: as text on SQLite, without a zone where the column has none."""
        if value is None or dialect.name == "postgresql":
            return value
        plain = value.astimezone(UTC).replace(tzinfo=None)
        return (
            plain.isoformat(" ", "microseconds") if dialect.name == "sqlite" else plain
        )

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read UTC; what somebody wrote there that is no time is none."""
        del dialect
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return None
        if not isinstance(value, datetime):
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Bytes(sa.types.TypeDecorator[bytes]):
    """Bytes; on SQLite a text that somebody wrote by hand counts as its UTF-8."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Return the column type of a dialect."""
        sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(
            sa.types.NullType() if sqlite else self.impl_instance
        )

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        """Read bytes, whatever is stored."""
        del dialect
        if value is None or isinstance(value, bytes):
            return value
        return value.encode() if isinstance(value, str) else bytes(value)


documents = sa.Table(
    "config_documents",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("data", Bytes, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    # ours: the original leaves them as they are
    sa.Column("digest", sa.Text),
    sa.Column("chain", sa.Text),
    sa.Column("write_id", sa.Text),
)

history = sa.Table(
    "config_document_history",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("data", Bytes, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
    # ours: null in the rows that the original wrote
    sa.Column("message", sa.Text),
    sa.Column("digest", sa.Text),
    sa.Column("chain", sa.Text),
    sa.Column("write_id", sa.Text),
)

revisions = sa.Table("midflight_schema", metadata, sa.Column("version_num", sa.Text))


def sha256(data: ColumnElement[bytes], dialect: str) -> ColumnElement[str]:
    """Return the SQL of the sha256 of some bytes, in hex, computed by the database."""
    if dialect == "postgresql":
        return sa.func.encode(sa.func.sha256(data), "hex", type_=sa.Text)
    if dialect in MYSQL:
        return sa.func.lower(sa.func.sha2(data, 256), type_=sa.Text)
    return sa.func.midflight_sha256(data, type_=sa.Text)


def token(dialect: str) -> ColumnElement[str]:
    """Return the SQL of what is in a token beside version and hash.

    On PostgreSQL `xmin`, which any update changes, so that the row itself need not be
    read; else the sha256 of the bytes. The `hash` column may be stale in a row that
    was written by others.
    """
    if dialect == "postgresql":
        return sa.cast(sa.literal_column("config_documents.xmin"), sa.Text)
    return sha256(documents.c.data, dialect)
