"""Who freezes a set, so that what a killed freeze left is told from one that goes on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody knows it of a set that an older Winnow began."""
    op.add_column("curated_sets", sa.Column("freezing", sa.JSON(none_as_null=True)))
