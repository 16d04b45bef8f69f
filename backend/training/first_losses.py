"""Whether a training's first losses are those that its judge's texts had when they were written.

A run notes what its texts cost the judge that wrote them. As long as a training has not changed the
weights, the same texts cost the same; much more means that the trainer shows the judge something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backend.store.database import Database
from backend.store.runs import NATS, Runs
from backend.store.sets import Sets
from backend.training.base import Metric
from backend.training.spec import TrainingSpec

LOOKED_AT = 3
"""First steps, the smallest of whose losses counts: one batch may be hard."""

FACTOR, MARGIN = 1.5, 0.1
"""What a first loss may be: so many times that of inference, and so many nats more. What is trained on is
written anew around the reasoning, which costs a little."""


def loss_at_inference(database: Database, spec: TrainingSpec) -> float | None:
    """Nats a token of the runs' texts, the highest of several runs.

    Returns:
        ``None`` where it is not known: a run's engine did not tell, or another judge wrote its texts.
    """
    wanted = {ref.id for ref in spec.sets}
    found = []
    for row in Sets(database).list():
        for run in row.lineage.get("runs", ()) if row.id in wanted else ():
            nats = Runs(database).get(run["id"]).progress.get(NATS)
            if nats is None or not _same(run["model"], spec.model):
                return None
            found.append(float(nats))
    return max(found, default=None)


def too_high(metrics: Sequence[Metric], expected: float | None) -> str | None:
    """One line where the first losses are far above those of inference.

    Args:
        metrics: By step, from the first.
        expected: Nats a token, see :func:`loss_at_inference`.
    """
    first = [one.loss for one in metrics if one.step <= LOOKED_AT and one.loss is not None]
    if expected is None or not first or min(first) <= FACTOR * expected + MARGIN:
        return None
    return (
        f"the first losses are {min(first):.3f} nats a token and more, but these texts cost the judge "
        f"{expected:.3f} when it wrote them: the trainer shows it something else than the run did"
    )


def _same(one: str, other: str) -> bool:
    return one == other or Path(one).resolve() == Path(other).resolve()
