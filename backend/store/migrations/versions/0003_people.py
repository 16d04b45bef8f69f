"""What people see: rulings made after a verdict had opened, and the time of a job's earlier attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; mark old rulings in blind queues by what the rows themselves tell."""
    op.add_column("reviews", sa.Column("unblinded", sa.Boolean()))
    op.add_column("jobs", sa.Column("earlier_s", sa.Float(), server_default="0"))
    # What the attempts before the newest one took was overwritten: it is not known any more.
    op.execute("UPDATE jobs SET earlier_s = NULL WHERE attempt > 1")
    queues = sa.table(
        "review_queues", sa.column("id"), sa.column("spec", sa.JSON), sa.column("created_at")
    )
    # The oldest last: where two queues hold a prediction, what was said in it opened it in both.
    newest_first = sa.select(queues).order_by(queues.c.created_at.desc())
    for queue in op.get_bind().execute(newest_first).all():
        if queue.spec.get("blind"):
            _mark(queue.id, queue.created_at)


def _mark(queue: int, made_at: float) -> None:
    """A reviewer's first row on an item of a blind queue was blind; every later one was not."""
    earlier = (
        "EXISTS (SELECT 1 FROM reviews e WHERE e.prediction_id = reviews.prediction_id"
        " AND e.reviewer = reviews.reviewer AND e.id < reviews.id AND e.created_at >= :made_at)"
    )
    op.get_bind().execute(
        sa.text(
            f"UPDATE reviews SET unblinded = {earlier}"  # noqa: S608
            " WHERE created_at >= :made_at AND ruling <> 'note' AND prediction_id IN"
            " (SELECT i.prediction_id FROM queue_items i JOIN queue_claims c"
            " ON c.queue_id = i.queue_id AND c.position = i.position"
            " WHERE i.queue_id = :queue AND c.reviewer = reviews.reviewer)"
        ),
        {"queue": queue, "made_at": made_at},
    )
