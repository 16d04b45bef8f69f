"""Rows as model inputs: the prompt is the engine's own, and only the response is learned."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from training_folders import SMALL, Prepare

from backend.domain.filtering import Policy
from backend.domain.pairs import MediaKind, OrderPolicy
from backend.engines.base import Completion, EngineOptions
from backend.engines.models import pixel_factor
from backend.engines.transformers import TransformersEngine
from backend.inference.launch import RunRequest
from backend.inference.pipeline import Pipeline
from backend.inference.spec import RunSpec
from backend.training.data import Row, Rows, data_files
from backend.training.local.collate import IGNORED, Collator
from backend.training.showing import request_of
from backend.workspace import Workspace


@pytest.fixture(scope="module")
def engine(judge_folder: Path) -> Iterator[TransformersEngine]:
    options = EngineOptions(device="cpu", max_new_tokens=1, batch_size=1)
    loaded = TransformersEngine(str(judge_folder), options)
    yield loaded
    loaded.close()


@pytest.mark.slow
def test_a_row_asks_with_the_very_tokens_and_pixels_of_a_run(
    engine: TransformersEngine, space: Workspace, judge_folder: Path, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = inputs_of_runs(engine, space, judge_folder, monkeypatch)
    collator, rows = collated(engine, prepare)
    assert {row.kind for row in rows} == set(MediaKind)
    for row in rows:
        sample = collator.sample(row)
        assert sample is not None
        inputs, length = sample
        assert any(same_prompt(inputs, length, one) for one in asked), row


def inputs_of_runs(
    engine: TransformersEngine, space: Workspace, judge: Path, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """What two real runs hand to the model, through the whole pipeline."""
    seen: list[dict[str, Any]] = []
    generate = engine._model.generate

    def spy(**inputs: Any) -> Any:
        seen.append(inputs)
        return generate(**inputs)

    monkeypatch.setattr(engine._model, "generate", spy)
    for dataset in ("pictures", "clips"):
        options = EngineOptions(device="cpu", max_pixels=SMALL, video_fps=1.0, batch_size=1, max_new_tokens=1)
        run_id, _ = space.launcher.start(
            RunRequest(
                dataset=dataset, model=str(judge), engine="transformers", options=options, order=OrderPolicy.DATASET
            )
        )
        run = space.runs.get(run_id)
        Pipeline(
            space.database,
            run_id=run_id,
            dataset_id=run.dataset_id,
            data_root=Path(space.datasets.by_id(run.dataset_id).data_root),
            spec=RunSpec.model_validate(run.spec),
            policy=Policy(),
            total=run.total,
            stop=threading.Event(),
        ).run(engine)
    return seen


def same_prompt(inputs: dict[str, Any], length: int, asked: dict[str, Any]) -> bool:
    """Everything but the response's tokens at the end is equal."""
    if not torch.equal(inputs["input_ids"][:, :-length], asked["input_ids"]):
        return False
    for name, value in asked.items():
        if not torch.is_tensor(value) or name == "input_ids":
            continue
        mine = inputs[name]
        if value.shape == asked["input_ids"].shape:
            mine = mine[:, :-length]
        if not torch.equal(mine, value):
            return False
    return True


def test_only_the_response_and_its_end_are_learned(engine: TransformersEngine, prepare: Prepare) -> None:
    collator, rows = collated(engine, prepare)
    images = [row for row in rows if row.kind is MediaKind.IMAGE]
    given = [images[0], longer(images[1])]
    (micro,) = collator.micro_batches(given)
    tokenizer = engine._processor.tokenizer
    for row, labels in zip(given, micro.labels, strict=True):
        learned = labels[labels != IGNORED]
        assert tokenizer.decode(learned) == row.response + tokenizer.eos_token
        assert labels[-1] == tokenizer.eos_token_id
    assert micro.tokens == int((micro.labels != IGNORED).sum())
    assert micro.keep > int((micro.labels[1] != IGNORED).sum())


def test_the_judges_own_answer_is_what_it_expects_most(judge_folder: Path, prepare: Prepare) -> None:
    """A shift by one between logits and labels would make its own words improbable."""
    speaker = TransformersEngine(str(judge_folder), EngineOptions(device="cpu", max_new_tokens=40))
    collator, rows = collated(speaker, prepare)
    row = rows[0]
    asked = request_of(row, fps=1.0, max_pixels=SMALL, factor=28)
    (outcome,) = speaker.generate(iter([asked]))
    assert isinstance(outcome, Completion)
    (micro,) = collator.micro_batches([Row(row.kind, row.instruction, outcome.text, row.media)])
    with torch.no_grad():
        logits = speaker._model(**micro.inputs).logits[:, -micro.keep : -1]
    labels = micro.labels[:, -micro.keep + 1 :]
    # Without the end token: the answer was cut off at 40 tokens.
    assert torch.equal(logits.argmax(-1)[0, :-1], labels[0, :-1])


def test_a_row_longer_than_prompt_max_len_is_left_out_and_counted(engine: TransformersEngine, prepare: Prepare) -> None:
    collator, rows = collated(engine, prepare, prompt_max_len=64)
    assert list(collator.micro_batches([rows[0]])) == []
    assert collator.left_out == 1


def collated(engine: TransformersEngine, prepare: Prepare, **values: Any) -> tuple[Collator, Rows]:
    folder, spec = prepare(**values)
    collator = Collator(engine._processor, spec, pixel_factor(spec.model))
    return collator, Rows(data_files(folder))


def longer(row: Row) -> Row:
    return Row(row.kind, row.instruction, row.response + "\nand more", row.media)
