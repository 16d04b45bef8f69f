"""Alembic's entry: runs the migrations inside the transaction that ``upgrade`` has begun."""

from __future__ import annotations

from alembic import context

from backend.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
