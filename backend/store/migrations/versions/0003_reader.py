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
    # SQLite's own ADD COLUMN would leave a table whose definition reads unlike a new one's.
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("runs", recreate="always" if sqlite else "never") as table:
        table.add_column(
            sa.Column("reader", sa.Integer(), nullable=False, server_default=sa.text("1"))
        )
