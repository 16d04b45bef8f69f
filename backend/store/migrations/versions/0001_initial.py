"""The first schema: every table as of version 0.1.

Never changed once released; what comes later is another file.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[int]:
    # BIGINT would not be SQLite's rowid alias.
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "curated_sets",
        sa.Column("id", _id(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column("lineage", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_curated_sets")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_curated_sets_name_version")),
    )
    op.create_table(
        "datasets",
        sa.Column("id", _id(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("data_root", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("name", name=op.f("uq_datasets_name")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", _id(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("argv", sa.JSON(), nullable=False),
        sa.Column("env", sa.JSON(), nullable=False),
        sa.Column("devices", sa.String(length=200), nullable=False),
        sa.Column("log_path", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("pid_started", sa.Float(), nullable=True),
        sa.Column("host", sa.String(length=200), nullable=True),
        sa.Column("heartbeat_at", sa.Float(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_status", "jobs", ["status", "id"], unique=False)
    op.create_table(
        "dataset_issues",
        sa.Column("id", _id(), nullable=False),
        sa.Column("dataset_id", _id(), nullable=False),
        sa.Column("code", sa.String(length=30), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_dataset_issues_dataset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_issues")),
    )
    op.create_index("ix_dataset_issues_dataset_id_code", "dataset_issues", ["dataset_id", "code", "id"], unique=False)
    op.create_table(
        "pairs",
        sa.Column("id", _id(), nullable=False),
        sa.Column("dataset_id", _id(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("first_path", sa.Text(), nullable=False),
        sa.Column("second_path", sa.Text(), nullable=False),
        sa.Column("preference", sa.String(length=10), nullable=False),
        sa.Column("media_ok", sa.Boolean(), nullable=False),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_pairs_dataset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pairs")),
        sa.UniqueConstraint("dataset_id", "key", name=op.f("uq_pairs_dataset_id_key")),
    )
    op.create_index("ix_pairs_dataset_id_idx", "pairs", ["dataset_id", "idx"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", _id(), nullable=False),
        sa.Column("job_id", _id(), nullable=True),
        sa.Column("dataset_id", _id(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("engine", sa.String(length=50), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_runs_dataset_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_runs_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_table(
        "failures",
        sa.Column("id", _id(), nullable=False),
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("pair_id", _id(), nullable=False),
        sa.Column("shown_order", sa.String(length=10), nullable=False),
        sa.Column("sample", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["pair_id"], ["pairs.id"], name=op.f("fk_failures_pair_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_failures_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failures")),
        sa.UniqueConstraint(
            "run_id", "pair_id", "shown_order", "sample", name=op.f("uq_failures_run_id_pair_id_shown_order_sample")
        ),
    )
    op.create_table(
        "predictions",
        sa.Column("id", _id(), nullable=False),
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("pair_id", _id(), nullable=False),
        sa.Column("shown_order", sa.String(length=10), nullable=False),
        sa.Column("sample", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("finish_reason", sa.String(length=20), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True),
        sa.Column("completion_tokens", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["pair_id"], ["pairs.id"], name=op.f("fk_predictions_pair_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_predictions_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predictions")),
        sa.UniqueConstraint(
            "run_id", "pair_id", "shown_order", "sample", name=op.f("uq_predictions_run_id_pair_id_shown_order_sample")
        ),
    )
    op.create_table(
        "reviews",
        sa.Column("id", _id(), nullable=False),
        sa.Column("prediction_id", _id(), nullable=False),
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("ruling", sa.String(length=10), nullable=False),
        sa.Column("relabel", sa.String(length=10), nullable=True),
        sa.Column("shown_order", sa.String(length=10), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("reviewer", sa.String(length=200), nullable=False),
        sa.Column("replaced", sa.JSON(), nullable=False),
        sa.Column("undoes", _id(), nullable=True),
        sa.Column("token", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.id"], name=op.f("fk_reviews_prediction_id")),
        sa.ForeignKeyConstraint(["undoes"], ["reviews.id"], name=op.f("fk_reviews_undoes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("token", name=op.f("uq_reviews_token")),
    )
    op.create_index("ix_reviews_prediction_id", "reviews", ["prediction_id", "id"], unique=False)
    op.create_index("ix_reviews_run_id", "reviews", ["run_id", "id"], unique=False)
    op.create_table(
        "verdicts",
        sa.Column("prediction_id", _id(), nullable=False),
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("pair_id", _id(), nullable=False),
        sa.Column("shown_order", sa.String(length=10), nullable=False),
        sa.Column("sample", sa.Integer(), nullable=False),
        sa.Column("preferred", sa.String(length=10), nullable=False),
        sa.Column("answer", sa.String(length=10), nullable=True),
        sa.Column("margin", sa.Float(), nullable=True),
        sa.Column("flaws", sa.Integer(), nullable=False),
        sa.Column("reasoning_hash", sa.BigInteger(), nullable=True),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("ruling", sa.String(length=10), nullable=True),
        sa.Column("effective", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.id"], name=op.f("fk_verdicts_prediction_id")),
        sa.PrimaryKeyConstraint("prediction_id", name=op.f("pk_verdicts")),
    )
    op.create_index(
        "ix_verdicts_run_id_decision", "verdicts", ["run_id", "decision", "reason", "prediction_id"], unique=False
    )
    op.create_index("ix_verdicts_run_id_effective", "verdicts", ["run_id", "effective", "prediction_id"], unique=False)
    op.create_index("ix_verdicts_run_id_pair_id", "verdicts", ["run_id", "pair_id"], unique=False)
    op.create_table(
        "set_items",
        sa.Column("set_id", _id(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("prediction_id", _id(), nullable=False),
        sa.Column("answer", sa.String(length=10), nullable=False),
        sa.Column("basis", sa.String(length=10), nullable=False),
        sa.Column("review_id", _id(), nullable=True),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.id"], name=op.f("fk_set_items_prediction_id")),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_set_items_review_id")),
        sa.ForeignKeyConstraint(["set_id"], ["curated_sets.id"], name=op.f("fk_set_items_set_id")),
        sa.PrimaryKeyConstraint("set_id", "position", name=op.f("pk_set_items")),
    )
