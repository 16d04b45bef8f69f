"""With which judge, and asking it what, the outcome of a training is measured."""

from __future__ import annotations

from pathlib import Path

from backend.domain.pairs import MediaKind
from backend.domain.prompts import default_instruction
from backend.errors import TrainingError
from backend.store.database import Database
from backend.store.sets import Sets
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
                hint=f"`winnow train show {view.row.id}` lists its checkpoints",
            )
        return view.best.path
    wanted = checkpoint.expanduser().resolve()
    for known in view.checkpoints:
        if known.judge and known.path.resolve() == wanted:
            return known.path
    raise TrainingError(
        f"{checkpoint} is no whole checkpoint of training {view.row.id}",
        hint=f"`winnow train show {view.row.id}` lists its checkpoints",
    )


def asked_with(database: Database, spec: TrainingSpec) -> tuple[bool, str | None]:
    """Whether the judgments trained on reason, and their instruction; ``None`` for Winnow's own."""
    sets = {row.id: row for row in Sets(database).list()}
    for ref in spec.sets:
        for run in sets[ref.id].lineage.get("runs", ()):
            use_cot = bool(run["spec"].get("use_cot", True))
            found = set((run["spec"].get("instruction") or {}).values())
            own = {default_instruction(kind, use_cot=use_cot) for kind in MediaKind}
            return use_cot, None if found <= own else sorted(found - own)[0]
    return True, None
