"""How Alembic runs the steps: on the connection it is given, in its transaction."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="midflight_schema",
    transactional_ddl=False,  # the caller has begun, and commits
)
context.run_migrations()
