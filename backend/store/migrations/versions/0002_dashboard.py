"""What the dashboard and training need: review queues, people, trainings, loops, columns to filter by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[int]:
    # BIGINT would not be SQLite's rowid alias.
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables and columns, and fill the columns from what is there."""
    # SQLite's own ADD COLUMN would leave a table whose definition reads unlike a new one's.
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("verdicts", recreate="always" if sqlite else "never") as table:
        table.add_column(sa.Column("reviewer", sa.String(200)))
        table.add_column(sa.Column("reviewed_at", sa.Float()))
        table.add_column(sa.Column("kind", sa.String(10), nullable=False, server_default="image"))
        table.add_column(sa.Column("text_length", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE verdicts SET"
        " kind = (SELECT kind FROM pairs WHERE pairs.id = verdicts.pair_id),"
        " text_length = (SELECT length(text) FROM predictions"
        " WHERE predictions.id = verdicts.prediction_id)"
    )
    # The newest ruling that is neither an undo nor undone.
    newest = (
        "SELECT {column} FROM reviews r WHERE r.prediction_id = verdicts.prediction_id"
        " AND r.ruling <> 'undo' AND r.id NOT IN"
        " (SELECT undoes FROM reviews u WHERE u.prediction_id = r.prediction_id"
        " AND u.undoes IS NOT NULL)"
        " ORDER BY CASE r.ruling WHEN 'flag' THEN 1 ELSE 0 END, r.id DESC LIMIT 1"
    )
    op.execute(
        f"UPDATE verdicts SET reviewer = ({newest.format(column='r.reviewer')}),"  # noqa: S608
        f" reviewed_at = ({newest.format(column='r.created_at')}) WHERE ruling IS NOT NULL"
    )
    # The few that somebody has ruled on, and the orders Browse sorts by.
    op.create_index(
        "ix_verdicts_reviewed",
        "verdicts",
        ["ruling", "prediction_id"],
        sqlite_where=sa.text("ruling IS NOT NULL"),
        postgresql_where=sa.text("ruling IS NOT NULL"),
    )
    op.create_index("ix_verdicts_text_length", "verdicts", ["text_length"])
    op.create_index("ix_verdicts_widest", "verdicts", [sa.text("coalesce(margin, -1e9)")])
    op.create_index("ix_verdicts_narrowest", "verdicts", [sa.text("coalesce(margin, 1e9)")])
    # The rare ones among a million, for the gallery's filters.
    for name, which in (
        ("ix_pairs_ties", {"sqlite": "preference = 'tie'", "postgresql": "preference = 'tie'"}),
        ("ix_pairs_media_missing", {"sqlite": "media_ok = 0", "postgresql": "media_ok = false"}),
    ):
        op.create_index(
            name,
            "pairs",
            ["dataset_id", "idx"],
            sqlite_where=sa.text(which["sqlite"]),
            postgresql_where=sa.text(which["postgresql"]),
        )
    op.create_table(
        "review_queues",
        sa.Column("id", _id(), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_queues")),
    )
    op.create_table(
        "queue_items",
        sa.Column("queue_id", _id(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("prediction_id", _id(), nullable=False),
        sa.Column("rulings", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["review_queues.id"], name=op.f("fk_queue_items_queue_id")),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.id"], name=op.f("fk_queue_items_prediction_id")),
        sa.PrimaryKeyConstraint("queue_id", "position", name=op.f("pk_queue_items")),
        sa.UniqueConstraint("queue_id", "prediction_id", name=op.f("uq_queue_items_queue_id_prediction_id")),
    )
    op.create_table(
        "queue_claims",
        sa.Column("queue_id", _id(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("reviewer", sa.String(200), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["review_queues.id"], name=op.f("fk_queue_claims_queue_id")),
        sa.PrimaryKeyConstraint("queue_id", "position", "reviewer", name=op.f("pk_queue_claims")),
    )
    op.create_table(
        "people",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_people")),
    )
    op.create_table(
        "trainings",
        sa.Column("id", _id(), nullable=False),
        sa.Column("job_id", _id(), nullable=True),
        sa.Column("trainer", sa.String(50), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("output_dir", sa.Text(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("sets", sa.JSON(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_trainings_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trainings")),
    )
    op.create_table(
        "evaluations",
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("training_id", _id(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_evaluations_run_id")),
        sa.ForeignKeyConstraint(["training_id"], ["trainings.id"], name=op.f("fk_evaluations_training_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_evaluations")),
    )
    op.create_table(
        "loops",
        sa.Column("id", _id(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loops")),
    )
