"""The original's two tables, where they are not there yet."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

# What the original's types are called on MariaDB and MySQL: a TEXT can be no key there,
# and a BLOB ends at 64 KiB.
_KEY = sa.Text().with_variant(
    mysql.VARCHAR(191, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)
_WORD = sa.Text().with_variant(mysql.VARCHAR(255), "mysql", "mariadb")
_DATA = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
_TIME = (
    sa.DateTime(timezone=True)
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    .with_variant(sa.Text(), "sqlite")
)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLE: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_engine": "InnoDB"}
_TABLE |= {name.replace("mysql", "mariadb"): value for name, value in _TABLE.items()}


def upgrade() -> None:
    """Create what is absent."""
    there = sa.inspect(op.get_bind()).get_table_names()
    if "config_documents" not in there:
        op.create_table(
            "config_documents",
            sa.Column("key", _KEY, primary_key=True),
            sa.Column("data", _DATA, nullable=False),
            sa.Column("hash", _WORD, nullable=False),
            sa.Column("version", sa.Integer, nullable=False, server_default="1"),
            sa.Column("created_at", _TIME, nullable=False, server_default=_now()),
            sa.Column("updated_at", _TIME, nullable=False, server_default=_now()),
            sa.Column("created_by", _WORD, nullable=False, server_default="system"),
            **_TABLE,
        )
        op.create_index(
            "idx_config_documents_updated_at", "config_documents", ["updated_at"]
        )
    if "config_document_history" not in there:
        op.create_table(
            "config_document_history",
            sa.Column("id", _ID, primary_key=True, autoincrement=True),
            sa.Column("key", _KEY, nullable=False),
            sa.Column("data", _DATA, nullable=False),
            sa.Column("hash", _WORD, nullable=False),
            sa.Column("version", sa.Integer, nullable=False),
            sa.Column("changed_at", _TIME, nullable=False, server_default=_now()),
            sa.Column("changed_by", _WORD, nullable=False, server_default="system"),
            **_TABLE,
        )
        op.create_index(
            "idx_config_history_key", "config_document_history", ["key", "version"]
        )


def _now() -> sa.TextClause:
    mysql = op.get_bind().dialect.name in {"mysql", "mariadb"}
    return sa.text("CURRENT_TIMESTAMP(6)" if mysql else "CURRENT_TIMESTAMP")
