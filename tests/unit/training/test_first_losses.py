"""A training whose first losses are far above what its texts cost at inference is warned of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.domain.filtering import Policy
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.store.runs import NATS
from backend.training.base import Metric
from backend.training.first_losses import loss_at_inference, too_high
from backend.training.folder import METRICS, claim, owner_of
from backend.training.spec import TrainingSpec
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path / "ws", images=4, videos=2)
    opened.freeze("both", [2, 3])
    opened.freeze("one", [2])
    yield opened
    opened.close()


def noted(space: Workspace, run: int, nats: float | None) -> None:
    with space.database.write() as connection:
        space.runs.set_progress(connection, run, {NATS: nats})


def spec_of(space: Workspace, *sets: str, model: str = "judge-b") -> TrainingSpec:
    out = str(space.folder / "out")
    return space.training_launcher.spec(sets, trainer="local", model=model, output_dir=out, device="cpu")


def test_the_loss_at_inference_is_that_of_the_runs_and_unknown_where_one_is_silent(space: Workspace) -> None:
    one = spec_of(space, "one")
    assert loss_at_inference(space.database, one) is None
    noted(space, 2, 0.25)
    assert loss_at_inference(space.database, one) == 0.25
    assert loss_at_inference(space.database, spec_of(space, "both")) is None
    assert loss_at_inference(space.database, spec_of(space, "one", model="judge-a")) is None
    noted(space, 2, None)
    assert loss_at_inference(space.database, one) is None


@pytest.mark.parametrize(
    ("losses", "expected", "warned"),
    [
        ([2.2, 2.1, 1.9], 0.003, True),
        ([0.95], 0.003, True),
        ([0.066, 0.07], 0.003, False),
        ([0.5, 0.45], 0.4, False),
        ([1.2, 0.5, 1.1], 0.4, False),
        ([1.2, 0.9, 1.1], 0.4, True),
        ([2.2], None, False),
        ([], 0.1, False),
        ([0.2, 0.2, 0.2, 9.0], 0.2, False),
    ],
)
def test_only_first_losses_far_above_are_warned_of(losses: list[float], expected: float | None, warned: bool) -> None:
    metrics = [Metric(step=number, loss=loss) for number, loss in enumerate(losses, start=1)]
    said = too_high(metrics, expected)
    assert (said is not None) == warned
    if said:
        assert f"{expected:.3f}" in said and "something else" in said


@pytest.mark.torch
def test_a_training_is_shown_with_its_warning(space: Workspace) -> None:
    judge = space.folder / "judge"
    judge.mkdir()
    (judge / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    (judge / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    asked = RunSpec(model=str(judge), engine="import", instruction=instructions(None, use_cot=True))
    texts = space.folder / "predictions-a.jsonl"
    dataset = space.datasets.get("pictures")
    run = import_predictions(space.database, dataset.id, asked, Policy(), texts)
    space.freeze("own", [run])
    noted(space, run, 0.003)
    spec = spec_of(space, "own", model=str(judge))
    training = space.training_launcher.start(
        spec.model_copy(update={"train_batch_size": 1, "output_dir": str(space.folder / "out")})
    )
    folder = space.folder / "out"
    claim(folder, owner_of(space.folder, training), spec)
    assert space.training_launcher.view(training).warning is None
    (folder / METRICS).write_text(json.dumps({"step": 1, "loss": 2.2}) + "\n")
    assert "2.200 nats a token" in (space.training_launcher.view(training).warning or "")
