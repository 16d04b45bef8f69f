"""The demo judge's own training: reproducible, and resumable to the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backend.demo.judge_data import Pool
from backend.demo.judge_training import STATE_FILE, JudgeTraining, train_judge
from backend.errors import DemoError

PLAN = JudgeTraining(
    sight_steps=2,
    description_steps=2,
    pair_steps=2,
    sight_batch_size=2,
    description_batch_size=2,
    batch_size=2,
    images=8,
    clips=4,
    save_steps=1,
)


@pytest.fixture(autouse=True)
def any_medium_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool of one of each look takes a minute to render; what is learned does not matter here."""
    monkeypatch.setattr(Pool, "pick", lambda self, scene, rng: self.any(scene.kind, rng))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Several add up a gradient in another order each time, and differ in the last digits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_a_training_that_was_stopped_goes_on_to_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    losses: dict[str, list[float]] = {"whole": [], "cut": []}

    def note(name: str) -> None:
        train_judge(
            tmp_path / name,
            PLAN,
            progress=lambda _done, _steps, loss: losses[name].append(loss),
            stop_after=3 if name == "cut" and not losses["cut"] else None,
        )

    note("whole")
    note("cut")
    assert len(losses["cut"]) == 3
    note("cut")
    assert losses["cut"] == losses["whole"]
    one, other = (load_file(tmp_path / name / STATE_FILE) for name in ("whole", "cut"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_a_folder_of_another_plan_is_refused(tmp_path: Path) -> None:
    train_judge(tmp_path, PLAN, stop_after=1)
    with pytest.raises(DemoError, match="other hyperparameters"):
        train_judge(tmp_path, replace(PLAN, seed=1))
