"""What commands print of runs and predictions."""

from __future__ import annotations

from typing import Any

from backend.cli.hints import in_command, with_hint
from backend.cli.output import say
from backend.domain.jobs import OPEN
from backend.domain.reading import explain, flaws_of, reasoning_of
from backend.store.runs import NOTICE, RunRow
from backend.workspace import Workspace


def as_json(space: Workspace, run: RunRow) -> dict[str, Any]:
    """A run as every listing prints it."""
    return {
        "id": run.id,
        "dataset": run.dataset,
        "model": run.model,
        "engine": run.engine,
        "status": run.status,
        "counts": space.runs.counts(run.id),
        "progress": run.progress,
        "policy": run.policy,
        "error": run.error,
        "hint": in_command(run.hint) or None,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "took_s": run.took_s,
        "read_by_older": run.read_by_older,
    }


def prediction_json(row: dict[str, Any], *, explained: bool = False) -> dict[str, Any]:
    """A prediction as ``winnow run predictions --json`` prints it."""
    scores = row["scores"]
    return {
        "id": row["id"],
        "key": row["key"],
        "index": row["index"],
        "order": row["order"],
        "sample": row["sample"],
        "prompt": row["prompt"],
        "text": row["text"],
        "answer": row["answer"],
        "reasoning": reasoning_of(row["text"]),
        "dimensions": [
            {"name": name, "first": first, "second": second} for name, first, second in scores["dimensions"]
        ],
        "totals": scores["totals"],
        "margin": row["margin"],
        "flaws": sorted(flaws_of(row["flaws"])),
        "preference": row["preference"],
        "decision": row["decision"],
        "reason": row["reason"],
        "ruling": row["ruling"],
        "effective": row["effective"],
        "finish_reason": row["finish_reason"],
        **({"read_by": [step._asdict() for step in explain(row["text"])]} if explained else {}),
    }


def summary(space: Workspace, run: RunRow) -> None:
    """A run in a few lines for a person."""
    counts = space.runs.counts(run.id)
    say(f"run {run.id} · {run.dataset} · {run.model} · {run.engine} · {run.status}")
    if run.read_by_older and run.status not in OPEN:
        say(f"read by an older Winnow: `winnow run reparse {run.id}` says what reading it again changes")
    if run.error:
        say(with_hint(run.error, run.hint))
    say(
        f"{counts['done']} of {counts['total']} done, {counts['accepted']} accepted, "
        f"{counts['rejected']} rejected, {counts['failed']} failed"
    )
    for reason, count in sorted(counts["rejected_by_reason"].items()):
        say(f"  rejected, {reason}: {count}")
    if run.status in OPEN and run.progress:
        eta = run.progress.get("eta_s")
        say(
            f"{run.progress.get('pairs_per_s', 0)} predictions/s, "
            f"{run.progress.get('tokens_per_s', 0)} tokens/s" + (f", {eta:.0f} s left" if eta is not None else "")
        )
        if notice := run.progress.get(NOTICE):
            say(str(notice))
