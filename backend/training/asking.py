"""What the judgments behind sets were asked with, by the medium that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from backend.domain.pairs import MediaKind
from backend.domain.prompts import default_instruction
from backend.store.database import Database
from backend.store.sets import SetRow, Sets


class Asked(NamedTuple):
    """An instruction's template, and whether it is Winnow's own."""

    template: str
    own: bool


def asked_by_kind(database: Database, sets: Sequence[SetRow]) -> dict[MediaKind, set[Asked]]:
    """The instructions under which the rows of each medium were judged.

    A run's spec has one for either medium, whatever it judged: only what its rows are about counts.
    """
    found: dict[MediaKind, set[Asked]] = {}
    for row in sets:
        kinds = frozenset(kind.value for kind in MediaKind if row.counts.get(kind.value))
        runs = row.lineage.get("runs", ())
        # One question to the database, only where the set's own numbers do not answer it.
        apart = len(kinds) > 1 and len(runs) > 1
        of_runs = Sets(database).kinds_of_runs(row.id) if apart else {}
        for run in runs:
            for name in of_runs.get(run["id"], frozenset()) if apart else kinds:
                kind, spec = MediaKind(name), run["spec"]
                usual = default_instruction(kind, use_cot=bool(spec.get("use_cot", True)))
                template = (spec.get("instruction") or {}).get(name) or usual
                found.setdefault(kind, set()).add(Asked(template, template == usual))
    return found
