"""What the judgments behind sets were asked with, by the medium that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from backend.domain.pairs import MediaKind
from backend.domain.prompts import default_instruction
from backend.store.database import Database
from backend.store.sets import SetRow, Sets


class Asked(NamedTuple):
    """An instruction's template, and whether it is Winnow's own."""

    template: str
    own: bool


def runs_by_kind(database: Database, sets: Sequence[SetRow]) -> dict[MediaKind, list[dict[str, Any]]]:
    """The specs of the runs behind sets, by the medium of their rows in them.

    A run's spec says something of either medium, whatever it judged: only what its rows are about counts.
    """
    found: dict[MediaKind, list[dict[str, Any]]] = {}
    for row in sets:
        kinds = frozenset(kind.value for kind in MediaKind if row.counts.get(kind.value))
        runs = row.lineage.get("runs", ())
        # One question to the database, only where the set's own numbers do not answer it.
        apart = len(kinds) > 1 and len(runs) > 1
        of_runs = Sets(database).kinds_of_runs(row.id) if apart else {}
        for run in runs:
            for kind in of_runs.get(run["id"], frozenset()) if apart else kinds:
                found.setdefault(MediaKind(kind), []).append(run["spec"])
    return dict(sorted(found.items()))


def asked_by_kind(database: Database, sets: Sequence[SetRow]) -> dict[MediaKind, set[Asked]]:
    """The instructions under which the rows of each medium were judged."""
    return {kind: {_asked(run, kind) for run in runs} for kind, runs in runs_by_kind(database, sets).items()}


def _asked(run: dict[str, Any], kind: MediaKind) -> Asked:
    usual = default_instruction(kind, use_cot=bool(run.get("use_cot", True)))
    template = (run.get("instruction") or {}).get(kind.value) or usual
    return Asked(template, template == usual)
