"""By which reading of verdicts a run's texts were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what is there was read by the first."""
    # Not by making the table anew: SQLite refuses to drop one that others refer to.
    op.add_column("runs", sa.Column("reader", sa.Integer(), nullable=False, server_default=sa.text("1")))
