"""With which judge, and asking it what, the outcome of a training is measured."""

from __future__ import annotations

from pathlib import Path

from backend.domain.pairs import MediaKind
from backend.errors import TrainingError
from backend.hints import Hint
from backend.store.database import Database
from backend.store.sets import Sets
from backend.training.asking import asked_by_kind
from backend.training.spec import TrainingSpec
from backend.training.view import View


def judge_of(view: View, checkpoint: Path | None = None) -> Path:
    """The folder of one of a training's judges; the best one when none is named.

    Raises:
        TrainingError: It is none of them, or there is none.
    """
    if checkpoint is None:
        if view.best is None:
            raise TrainingError(
                f"training {view.row.id} has no checkpoint that a judge can be loaded from",
                hint=Hint("{SHOW_TRAINING} lists its checkpoints", on=view.row.id),
            )
        return view.best.path
    wanted = checkpoint.expanduser().resolve()
    for known in view.checkpoints:
        if known.judge and known.path.resolve() == wanted:
            return known.path
    raise TrainingError(
        f"{checkpoint} is no whole checkpoint of training {view.row.id}",
        hint=Hint("{SHOW_TRAINING} lists its checkpoints", on=view.row.id),
    )


def asked_with(database: Database, spec: TrainingSpec) -> tuple[bool, str | dict[MediaKind, str] | None]:
    """Whether the judgments trained on reason, and their instruction.

    That is ``None`` for Winnow's own, and one for each medium where they were asked otherwise.
    """
    known = {row.id: row for row in Sets(database).list()}
    sets = [known[ref.id] for ref in spec.sets]
    runs = [run["spec"] for row in sets for run in row.lineage.get("runs", ())]
    use_cot = bool(runs[0].get("use_cot", True)) if runs else True
    found = asked_by_kind(database, sets)
    others = {
        kind: min(one.template for one in asked if not one.own)
        for kind, asked in found.items()
        if not all(one.own for one in asked)
    }
    same = len(others) == len(found) and len(set(others.values())) == 1
    return use_cot, next(iter(others.values())) if same else others or None
