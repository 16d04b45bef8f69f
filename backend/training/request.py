"""A spec from what a person gave: names of sets, and values of some options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.domain.pairs import MediaKind
from backend.errors import UsageError
from backend.store.database import Database
from backend.store.sets import SetRow, Sets
from backend.training.spec import SetRef, TrainingSpec


def spec_from(database: Database, sets: Sequence[str], values: Mapping[str, Any]) -> TrainingSpec:
    """A spec from names of sets (``NAME`` or ``NAME@VERSION``) and the values that were given.

    Raises:
        NotFound: There is no such set.
        UsageError: A value is out of range.
    """
    if not sets:
        raise UsageError("a training needs a set", hint="--set NAME; `winnow set list`")
    known = Sets(database)
    refs = tuple(_ref(known.named(name)) for name in dict.fromkeys(sets))
    given = {name: value for name, value in values.items() if value is not None}
    for name in ("model", "output_dir"):
        # Absolute, because the trainer runs in another folder and much later.
        blank = not str(given.get(name, "")).strip()
        if not blank and (name == "output_dir" or Path(given[name]).exists()):
            given[name] = str(Path(given[name]).expanduser().resolve())
    try:
        return TrainingSpec(sets=refs, **given)
    except ValidationError as error:
        first = error.errors()[0]
        name = "-".join(str(part) for part in first["loc"]).replace("_", "-")
        raise UsageError(f"--{name}: {first['msg']}", hint="`winnow train start --help` lists the options") from error


def _ref(row: SetRow) -> SetRef:
    kinds = tuple(kind for kind in MediaKind if row.counts.get(kind.value))
    return SetRef(id=row.id, name=row.name, version=row.version, content_hash=row.content_hash or "", kinds=kinds)
