"""The tables of a workspace.

Wide, immutable text (``predictions``) and narrow, changing judgments about it (``verdicts``) are two
tables, so that re-deciding a million predictions, or filtering them, never touches the text.

Times are UTC seconds since the epoch (float). Enumerations are stored as the text of their value.
JSON columns hold objects. ``shown_order`` stands beside every column that speaks of a side; without
it, a side is relative to dataset order.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from backend.hints import Hint, from_text, to_text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class HintText(TypeDecorator[Hint | str]):
    """A hint; rows of an older Winnow hold plain words."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Hint | str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return to_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Hint | str | None:  # noqa: ARG002
        return from_text(value)


# BIGINT would not be SQLite's rowid alias, which makes keyset pages and inserts fast there.
_Id = BigInteger().with_variant(Integer, "sqlite")

datasets = Table(
    "datasets",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("source", String(100), nullable=False),  # "hpdv3", or "mixed" when several were given
    Column("spec", Text, nullable=False),  # SOURCE:PATH[,SOURCE:PATH…] as given
    Column("data_root", Text, nullable=False),  # absolute; media lie in it or in a folder of dataset_links
    Column("status", String(20), nullable=False),  # importing, ready, failed
    Column("fingerprint", String(64)),  # SHA-256 over the pairs in order; set when ready
    Column("created_at", Float, nullable=False),
    # The integrity report's counters: rows, pairs, duplicates, ties, missing, unreadable, broken.
    Column("counts", JSON, nullable=False),
)

# Folders outside of the data root that its symbolic links may lead to.
dataset_links = Table(
    "dataset_links",
    metadata,
    Column("dataset_id", _Id, ForeignKey("datasets.id"), primary_key=True, autoincrement=False),
    Column("folder", Text, primary_key=True),
)

pairs = Table(
    "pairs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("dataset_id", _Id, ForeignKey("datasets.id"), nullable=False),
    Column("idx", Integer, nullable=False),  # 0-based row in the dataset's file order
    Column("key", String(32), nullable=False),  # domain.pairs.pair_key
    Column("kind", String(10), nullable=False),  # image, video
    Column("prompt", Text, nullable=False),
    Column("first_path", Text, nullable=False),
    Column("second_path", Text, nullable=False),
    Column("preference", String(10), nullable=False),  # first, second, tie; dataset order
    Column("media_ok", Boolean, nullable=False),  # both files were there at import
    Column("extra", JSON, nullable=False),  # what the source adds: models, scores, confidence
    UniqueConstraint("dataset_id", "key"),
    Index("ix_pairs_dataset_id_idx", "dataset_id", "idx"),
    # The rare ones among a million, for the gallery's filters.
    Index(
        "ix_pairs_ties",
        "dataset_id",
        "idx",
        sqlite_where=text("preference = 'tie'"),
        postgresql_where=text("preference = 'tie'"),
    ),
    Index(
        "ix_pairs_media_missing",
        "dataset_id",
        "idx",
        sqlite_where=text("media_ok = 0"),
        postgresql_where=text("media_ok = false"),
    ),
)

dataset_issues = Table(
    "dataset_issues",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("dataset_id", _Id, ForeignKey("datasets.id"), nullable=False),
    Column("code", String(30), nullable=False),  # broken, duplicate, conflict, tie, missing, unreadable
    Column("file", Text, nullable=False),
    Column("row", Integer, nullable=False),  # 0-based in that file
    Column("message", Text, nullable=False),
    Index("ix_dataset_issues_dataset_id_code", "dataset_id", "code", "id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("kind", String(20), nullable=False),  # run, training, task
    Column("status", String(20), nullable=False),  # jobs.states.JobStatus
    Column("argv", JSON, nullable=False),  # {"argv": […]}: the command, never a shell string
    Column("env", JSON, nullable=False),  # variables to add to the environment
    Column("devices", String(200), nullable=False),  # device set, e.g. "cpu", "cuda:0,1"; "" needs none
    Column("log_path", Text, nullable=False),
    Column("pid", Integer),
    Column("pid_started", Float),  # psutil create_time of that pid: tells a reused pid apart
    Column("host", String(200)),
    Column("heartbeat_at", Float),
    Column("attempt", Integer, nullable=False),  # 1 on the first start, +1 on each resume
    Column("cancel_requested", Boolean, nullable=False),
    Column("exit_code", Integer),
    Column("error", Text),
    Column("hint", HintText),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    # Seconds that attempts before this one worked; null where an older Winnow did not keep them.
    Column("earlier_s", Float, server_default="0"),
    Index("ix_jobs_status", "status", "id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("job_id", _Id, ForeignKey("jobs.id")),  # null for an imported run: it had no process
    Column("dataset_id", _Id, ForeignKey("datasets.id"), nullable=False),
    Column("model", Text, nullable=False),
    Column("engine", String(50), nullable=False),  # as resolved, never "auto"
    Column("spec", JSON, nullable=False),  # inference.spec.RunSpec, frozen at the start
    Column("policy", JSON, nullable=False),  # domain.filtering.Policy now in force
    Column("total", Integer, nullable=False),  # predictions the run will make
    Column("progress", JSON, nullable=False),  # done, failed, tokens, pairs_per_s, tokens_per_s, eta_s
    Column("created_at", Float, nullable=False),
    # domain.reading.READER when its texts were first read; the oldest, where several read them.
    Column("reader", Integer, nullable=False, server_default=text("1")),
)

predictions = Table(
    "predictions",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("run_id", _Id, ForeignKey("runs.id"), nullable=False),
    Column("pair_id", _Id, ForeignKey("pairs.id"), nullable=False),
    Column("shown_order", String(10), nullable=False),  # dataset, swapped
    Column("sample", Integer, nullable=False),
    Column("text", Text, nullable=False),  # whole, as the judge wrote it
    Column("finish_reason", String(20)),  # stop, length, or the engine's word
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("run_id", "pair_id", "shown_order", "sample"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("prediction_id", _Id, ForeignKey("predictions.id"), primary_key=True),
    Column("run_id", _Id, nullable=False),
    Column("pair_id", _Id, nullable=False),
    Column("shown_order", String(10), nullable=False),
    Column("sample", Integer, nullable=False),
    Column("preferred", String(10), nullable=False),  # human preference relative to shown order
    Column("answer", String(10)),  # relative to shown order; null when there is none to read
    Column("margin", Float),  # total of the answered side minus the other's
    Column("flaws", Integer, nullable=False),  # domain.reading bit mask
    Column("reasoning_hash", BigInteger),  # equal reasoning, equal hash; null when there is none
    Column("scores", JSON, nullable=False),  # {"dimensions": [[name, first, second], …], "totals": [a, b]}
    Column("decision", String(10), nullable=False),  # accepted, rejected: the filter's
    Column("reason", String(30), nullable=False),
    # The newest ruling that decides (else a flag), for filtering; ``reviews`` is the truth.
    Column("ruling", String(10)),  # accept, reject, relabel, flag; null when unreviewed
    Column("reviewer", String(200)),  # who made that ruling
    Column("reviewed_at", Float),
    Column("kind", String(10), nullable=False, server_default="image"),  # the pair's, for filtering
    Column("text_length", Integer, nullable=False, server_default="0"),  # characters
    Column("effective", String(10), nullable=False),  # accepted, rejected
    Index("ix_verdicts_run_id_decision", "run_id", "decision", "reason", "prediction_id"),
    Index("ix_verdicts_run_id_effective", "run_id", "effective", "prediction_id"),
    Index("ix_verdicts_run_id_pair_id", "run_id", "pair_id"),
    # The few among a million that somebody has ruled on, and the orders Browse sorts by.
    Index(
        "ix_verdicts_reviewed",
        "ruling",
        "prediction_id",
        sqlite_where=text("ruling IS NOT NULL"),
        postgresql_where=text("ruling IS NOT NULL"),
    ),
    Index("ix_verdicts_text_length", "text_length"),
    Index("ix_verdicts_widest", text("coalesce(margin, -1e9)")),
    Index("ix_verdicts_narrowest", text("coalesce(margin, 1e9)")),
)

failures = Table(
    "failures",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("run_id", _Id, ForeignKey("runs.id"), nullable=False),
    Column("pair_id", _Id, ForeignKey("pairs.id"), nullable=False),
    Column("shown_order", String(10), nullable=False),
    Column("sample", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("hint", HintText),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("run_id", "pair_id", "shown_order", "sample"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("prediction_id", _Id, ForeignKey("predictions.id"), nullable=False),
    Column("run_id", _Id, nullable=False),
    Column("ruling", String(10), nullable=False),  # accept, reject, relabel, flag, note, undo
    Column("relabel", String(10)),  # first, second, tie; relative to shown_order
    Column("shown_order", String(10), nullable=False),  # the prediction's, repeated beside the side
    Column("note", Text, nullable=False),
    Column("tags", JSON, nullable=False),  # {"tags": […]}
    Column("reviewer", String(200), nullable=False),
    Column("replaced", JSON, nullable=False),  # the effective decision before: {"effective", "ruling", "review_id"}
    Column("undoes", _Id, ForeignKey("reviews.id")),
    Column("token", String(64), unique=True),  # the client's own id, so that re-sending stores once
    Column("created_at", Float, nullable=False),
    Column("queue_id", _Id),  # in whose room it was said; no key, for a dropped queue's rulings stay
    # false: said before the verdict opened; true: after one's own blind ruling had opened it; null:
    # not in a blind review.
    Column("unblinded", Boolean),
    Index("ix_reviews_prediction_id", "prediction_id", "id"),
    Index("ix_reviews_run_id", "run_id", "id"),
    Index("ix_reviews_queue_id", "queue_id", "id"),
)

curated_sets = Table(
    "curated_sets",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", String(200), nullable=False),
    # Given when it is frozen, so that a freeze that is cut off uses none up; negative until then.
    Column("version", Integer, nullable=False),
    Column("status", String(20), nullable=False),  # freezing, given up, frozen
    # host, pid, started, token of who does it, beat_at; null once it is frozen
    Column("freezing", JSON(none_as_null=True)),
    Column("content_hash", String(64)),  # SHA-256 over the items in order; set when frozen
    Column("lineage", JSON, nullable=False),  # runs, their spec, policy, dataset fingerprint, reviews
    Column("counts", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("name", "version"),
)

set_items = Table(
    "set_items",
    metadata,
    Column("set_id", _Id, ForeignKey("curated_sets.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("prediction_id", _Id, ForeignKey("predictions.id"), nullable=False),
    Column("answer", String(10), nullable=False),  # the label, relative to the prediction's shown order
    Column("basis", String(10), nullable=False),  # filter, accept, relabel
    Column("review_id", _Id, ForeignKey("reviews.id")),
)

review_queues = Table(
    "review_queues",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("title", String(300), nullable=False),
    Column("kind", String(30), nullable=False),  # a name of curation.kinds.registry.KINDS
    Column("spec", JSON, nullable=False),  # runs, filter, seed, size, blind, rulings_wanted
    Column("items", Integer, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("created_at", Float, nullable=False),
)

queue_items = Table(
    "queue_items",
    metadata,
    Column("queue_id", _Id, ForeignKey("review_queues.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("prediction_id", _Id, ForeignKey("predictions.id"), nullable=False),
    Column("rulings", Integer, nullable=False),  # by different reviewers, in this queue
    UniqueConstraint("queue_id", "prediction_id"),
)

# Who is looking at what right now, so that two reviewers are not served the same item.
queue_claims = Table(
    "queue_claims",
    metadata,
    Column("queue_id", _Id, ForeignKey("review_queues.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("reviewer", String(200), primary_key=True),
    Column("expires_at", Float, nullable=False),
    Column("done", Boolean, nullable=False),  # this reviewer has ruled on it in this queue
)

people = Table(
    "people",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("settings", JSON, nullable=False),  # keys, blind, last filters: what one person keeps
)

trainings = Table(
    "trainings",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("job_id", _Id, ForeignKey("jobs.id")),
    Column("trainer", String(50), nullable=False),  # local, lightrft, command
    Column("model", Text, nullable=False),
    Column("output_dir", Text, nullable=False),
    Column("spec", JSON, nullable=False),  # training.spec.TrainingSpec, frozen at the start
    Column("sets", JSON, nullable=False),  # {"sets": [{id, name, version, content_hash}, …]}
    Column("progress", JSON, nullable=False),  # step, steps, loss, learning_rate, eta_s, …
    Column("created_at", Float, nullable=False),
)

# Runs that measure a checkpoint, so that lineage goes from the checkpoint back to each ruling.
evaluations = Table(
    "evaluations",
    metadata,
    Column("run_id", _Id, ForeignKey("runs.id"), primary_key=True),
    Column("training_id", _Id, ForeignKey("trainings.id"), nullable=False),
    Column("checkpoint", Text, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("job_id", _Id, ForeignKey("jobs.id")),
    Column("operation", String(40), nullable=False),  # domain.operations.Operation, by its name
    Column("title", Text, nullable=False),  # what it is done to, for a person
    Column("arguments", JSON, nullable=False),
    Column("person", Text, nullable=False),  # in whose name
    Column("progress", JSON, nullable=False),  # {"done", "total", "lines"}
    Column("result", JSON(none_as_null=True)),
    Column("put_away", Boolean, nullable=False),  # its end has been seen
    Column("created_at", Float, nullable=False),
    Index("ix_tasks_put_away", "put_away", "id"),
)

loops = Table(
    "loops",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("spec", JSON, nullable=False),
    Column("state", JSON, nullable=False),  # which step of which round, and what each one made
    Column("created_at", Float, nullable=False),
)
