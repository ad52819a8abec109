"""Our columns: why, the typed digest, the chain of history, and who wrote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

_MARK = sa.Text().with_variant(
    mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)
_OURS = {
    "config_documents": {"digest": _MARK, "chain": _MARK, "write_id": _MARK},
    "config_document_history": {
        "message": sa.Text(),
        "digest": _MARK,
        "chain": _MARK,
        "write_id": _MARK,
    },
}


def upgrade() -> None:
    """Add what is absent: on MariaDB an upgrade may have been cut half way."""
    look = sa.inspect(op.get_bind())
    for table, columns in _OURS.items():
        there = {column["name"] for column in look.get_columns(table)}
        for name, kind in columns.items():
            if name not in there:
                op.add_column(table, sa.Column(name, kind))
    table = "config_document_history"
    indexes = {index["name"] for index in look.get_indexes(table)}
    if "idx_midflight_write" not in indexes:
        op.create_index("idx_midflight_write", table, ["write_id"])
    if "idx_midflight_order" not in indexes:
        op.create_index("idx_midflight_order", table, ["key", "id"])
