"""Trainings as they were read last: a page that renews itself reads files again only for news."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from backend.store.trainings import TrainingRow
from backend.training.view import View
from backend.workspace import Workspace

_KEPT = 32
_STALE_S = 10
"""After so long files are read again whatever the row says: somebody may have deleted a checkpoint."""

_views: OrderedDict[tuple[str, int], tuple[tuple[object, ...], View]] = OrderedDict()
_lock = threading.Lock()


def view_of(space: Workspace, row: TrainingRow) -> View:
    """A training with its curves and checkpoints.

    Its metrics may be a hundred thousand lines. They are read again when the trainer's process has
    written new progress into the row, which it does every second.

    Raises:
        TrainingError: Its spec is one that this version cannot read.
    """
    key, mark = (str(space.folder), row.id), _mark(row)
    with _lock:
        kept = _views.get(key)
    if kept is not None and kept[0] == mark:
        evaluations = space.trainings.evaluations(row.id)
        return replace(kept[1], row=row, evaluations=evaluations)
    view = space.training_launcher.view(row.id)
    with _lock:
        _views[key] = (mark, view)
        _views.move_to_end(key)
        while len(_views) > _KEPT:
            _views.popitem(last=False)
    return view


def _mark(row: TrainingRow) -> tuple[object, ...]:
    try:
        changed: int | None = Path(row.output_dir).stat().st_mtime_ns
    except OSError:
        changed = None
    progress = json.dumps(row.progress, sort_keys=True)
    return (row.status, row.attempt, row.output_dir, progress, changed, int(time.time() / _STALE_S))
