"""Where a ruling was made, and whether its verdict had opened; the time of a job's earlier attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; fill those of old rulings from what the rows themselves tell."""
    op.add_column("reviews", sa.Column("queue_id", _id()))
    op.add_column("reviews", sa.Column("unblinded", sa.Boolean()))
    op.create_index("ix_reviews_queue_id", "reviews", ["queue_id", "id"])
    op.add_column("jobs", sa.Column("earlier_s", sa.Float(), server_default="0"))
    # What the attempts before the newest one took was overwritten: it is not known any more.
    op.execute("UPDATE jobs SET earlier_s = NULL WHERE attempt > 1")
    queues = sa.table("review_queues", sa.column("id"), sa.column("spec", sa.JSON), sa.column("created_at"))
    # The oldest last: where two queues hold a prediction, what was said in it opened it in both.
    newest_first = sa.select(queues).order_by(queues.c.created_at.desc())
    for queue in op.get_bind().execute(newest_first).all():
        _tell_queue(queue.id, queue.created_at)
        if queue.spec.get("blind"):
            _mark(queue.id, queue.created_at)


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


_OF_ITEMS = (
    " WHERE created_at >= :made_at AND prediction_id IN"
    " (SELECT i.prediction_id FROM queue_items i JOIN queue_claims c"
    " ON c.queue_id = i.queue_id AND c.position = i.position"
    " WHERE i.queue_id = :queue AND c.reviewer = reviews.reviewer{more})"
)


def _tell_queue(queue: int, made_at: float) -> None:
    """What somebody said since the queue was made, on an item that is done, was said in its room."""
    where = _OF_ITEMS.format(more=" AND c.done")
    op.get_bind().execute(
        sa.text(f"UPDATE reviews SET queue_id = :queue{where} AND queue_id IS NULL"),  # noqa: S608
        {"queue": queue, "made_at": made_at},
    )


def _mark(queue: int, made_at: float) -> None:
    """A reviewer's first row on an item of a blind queue was blind; every later one was not."""
    earlier = (
        "EXISTS (SELECT 1 FROM reviews e WHERE e.prediction_id = reviews.prediction_id"
        " AND e.reviewer = reviews.reviewer AND e.id < reviews.id AND e.created_at >= :made_at)"
    )
    op.get_bind().execute(
        sa.text(
            f"UPDATE reviews SET unblinded = {earlier}"  # noqa: S608
            f"{_OF_ITEMS.format(more='')} AND ruling <> 'note'"
        ),
        {"queue": queue, "made_at": made_at},
    )
