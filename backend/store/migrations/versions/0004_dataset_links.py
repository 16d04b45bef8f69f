"""Folders outside of a dataset's data root that its symbolic links may lead to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; datasets that are there allow no links."""
    # BIGINT would not be SQLite's rowid alias, which the datasets' ids are.
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "dataset_links",
        sa.Column("dataset_id", identity, autoincrement=False, nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_dataset_links_dataset_id")),
        sa.PrimaryKeyConstraint("dataset_id", "folder", name=op.f("pk_dataset_links")),
    )
