"""How many steps a training is said to have: as many as it makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from training_folders import Prepare

from backend.training.local.schedule import total_steps
from backend.training.progress import expected_steps


def with_rows(prepare: Prepare, rows: int, **values: Any) -> int:
    folder, spec = prepare(sets=("clips",), **values)
    manifest: Path = folder / "data/set-3/manifest.json"
    said = json.loads(manifest.read_text())
    for file in said["files"]:
        file["rows"] = rows
    manifest.write_text(json.dumps(said))
    return expected_steps(spec, folder)


@pytest.mark.parametrize(("trainer", "steps"), [("lightrft", 63), ("local", 66)])
def test_the_last_batch_counts_where_it_is_not_left_out(prepare: Prepare, trainer: str, steps: int) -> None:
    """173 rows are 21 batches of 8 and one of 5, which LightRFT leaves out of each epoch."""
    found = with_rows(prepare, 173, trainer=trainer, train_batch_size=8, max_epochs=3)
    assert found == steps


def test_it_is_the_local_trainers_own_count(prepare: Prepare) -> None:
    _, spec = prepare("other", sets=("clips",), max_epochs=2, train_batch_size=4)
    found = with_rows(prepare, 9, max_epochs=2, train_batch_size=4)
    assert found == total_steps(spec, 9) == 6
