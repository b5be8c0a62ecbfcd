"""Alembic's way into the migrations; run by dashboard/workspace_store.py, which locks first."""

from __future__ import annotations

from alembic import context

from data_contracts.workspace_tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
