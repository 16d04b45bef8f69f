"""The local trainer's steps: what is learned, and that going on is the same as never having stopped."""

from __future__ import annotations

import json
import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training_folders import Prepare

from backend.cli.hints import in_command
from backend.domain.pairs import MediaKind
from backend.engines.base import EngineOptions
from backend.engines.transformers import TransformersEngine
from backend.errors import TrainingError
from backend.training.data import Row, Rows, data_files
from backend.training.local import checkpoints
from backend.training.local.checkpoints import whole_checkpoints
from backend.training.local.devices import take_place
from backend.training.local.fit import Fit
from backend.training.local.journal import read_metrics
from backend.training.local.model import Judge
from backend.training.spec import LoraSpec, TrainingSpec

pytestmark = pytest.mark.slow


def fit(folder: Path, spec: TrainingSpec, *, stop_after: int | None = None) -> bool:
    """Train in this process; with ``stop_after``, asked to stop after so many steps."""
    return Fit(
        folder,
        spec,
        take_place(spec),
        stopping=lambda: stop_after is not None and len(read_metrics(folder)) >= stop_after,
    ).run()


def final(folder: Path) -> dict[str, torch.Tensor]:
    """Weights, in the dtype they were stored in."""
    weights: dict[str, torch.Tensor] = load_file(folder / "final_checkpoint" / "model.safetensors")
    return weights


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_the_loss_falls_and_the_finished_judge_answers_in_the_engine(prepare: Prepare, judge_folder: Path) -> None:
    folder, spec = prepare(max_steps=6, save_steps=2, max_ckpt_num=2, validation=0.2)
    assert fit(folder, spec)
    metrics = read_metrics(folder)
    losses = [metric.loss for metric in metrics if metric.loss is not None]
    assert len(losses) == 6
    assert losses[-1] < 0.8 * losses[0]
    held_out = [m.validation_loss for m in metrics if m.validation_loss is not None]
    assert len(held_out) == 3
    assert held_out[-1] < held_out[0]
    kept = whole_checkpoints(folder)
    assert [(c.step, c.final) for c in kept] == [(4, False), (6, False), (6, True)]
    config = json.loads((folder / "final_checkpoint" / "config.json").read_text())
    assert config["architectures"] == ["Qwen2_5_VLForConditionalGeneration"]
    assert final(folder).keys() == load_file(judge_folder / "model.safetensors").keys()
    assert answers(folder / "final_checkpoint", folder, spec)
    assert list((folder / "tensorboard").glob("events.out.tfevents.*"))
    assert not list(folder.rglob("*.pt")), "pickles"


def answers(judge: Path, folder: Path, spec: TrainingSpec) -> str:
    """What a judge's folder says to the first row, loaded as any run loads it."""
    from backend.engines.base import Completion
    from backend.training.showing import request_of

    engine = TransformersEngine(str(judge), EngineOptions(device="cpu", max_new_tokens=8))
    try:
        row = Rows(data_files(folder))[0]
        asked = request_of(row, fps=spec.fps, max_pixels=spec.max_pixels, factor=28)
        (outcome,) = engine.generate(iter([asked]))
    finally:
        engine.close()
    assert isinstance(outcome, Completion), outcome
    return outcome.text


@pytest.mark.parametrize("lora", [None, LoraSpec(rank=4, alpha=8, dropout=0.1)], ids=["full", "lora"])
def test_a_training_that_was_stopped_ends_with_the_weights_of_one_that_was_not(
    prepare: Prepare, lora: LoraSpec | None
) -> None:
    values = {"max_steps": 4, "save_steps": 10, "micro_train_batch_size": 2, "lora": lora}
    whole, spec = prepare("whole", **values)
    assert fit(whole, spec)
    cut, spec = prepare("cut", **values)
    assert not fit(cut, spec, stop_after=2)
    assert [c.step for c in whole_checkpoints(cut)] == [2]
    assert fit(cut, spec)
    assert same(final(whole), final(cut))
    assert [m.loss for m in read_metrics(whole)] == [m.loss for m in read_metrics(cut)]


def test_a_stop_in_the_middle_of_a_step_saves_the_last_whole_one_and_loses_nothing_else(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step may take minutes; who stops is not made to wait for its end."""
    values = {"max_steps": 3, "save_steps": 10}
    whole, spec = prepare("whole", **values)
    assert fit(whole, spec)
    cut, spec = prepare("cut", **values)
    real, passes = Judge.logits, count(1)
    seen = 0

    def counted(self: Judge, inputs: dict[str, Any], keep: int) -> Any:
        nonlocal seen
        seen = next(passes)
        return real(self, inputs, keep)

    monkeypatch.setattr(Judge, "logits", counted)
    # Four micro batches a step, so that the second of the second step is the sixth.
    assert not Fit(cut, spec, take_place(spec), stopping=lambda: seen >= 6).run()
    assert seen == 6
    assert [c.step for c in whole_checkpoints(cut)] == [1]
    assert fit(cut, spec)
    assert same(final(whole), final(cut))


def test_a_stop_before_the_first_step_writes_no_checkpoint(prepare: Prepare) -> None:
    folder, spec = prepare(max_steps=2)
    assert not fit(folder, spec, stop_after=0)
    assert whole_checkpoints(folder) == []


def test_a_stop_does_not_wait_for_a_validation(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, spec = prepare(max_steps=3, save_steps=1, validation=0.4)
    passes = 0
    real = Judge.logits

    def counted(self: Judge, inputs: dict[str, Any], keep: int) -> Any:
        nonlocal passes
        passes += not self.model.training
        return real(self, inputs, keep)

    monkeypatch.setattr(Judge, "logits", counted)
    assert not Fit(folder, spec, take_place(spec), stopping=lambda: passes >= 1).run()
    assert passes == 1
    assert [c.step for c in whole_checkpoints(folder)] == [1]
    assert all(metric.validation_loss is None for metric in read_metrics(folder))


def test_a_checkpoint_that_was_cut_off_is_passed_over(prepare: Prepare) -> None:
    folder, spec = prepare(max_steps=3, save_steps=1, max_ckpt_num=3)
    assert fit(folder, spec)
    expected = final(folder)
    shutil.rmtree(folder / "final_checkpoint")
    newest = folder / "checkpoints" / "step-000003" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    (folder / "checkpoints" / "step-000004.partial").mkdir()
    assert [c.step for c in whole_checkpoints(folder)] == [1, 2]
    assert fit(folder, spec)
    assert same(expected, final(folder))


def test_what_was_cut_off_goes_with_the_next_checkpoint_that_is_whole(prepare: Prepare) -> None:
    folder, spec = prepare(max_steps=3, save_steps=1, max_ckpt_num=2)
    cut = folder / "checkpoints" / "step-000009"
    (cut / "model.safetensors").parent.mkdir(parents=True)
    (cut / "model.safetensors").write_bytes(b"cut off")
    assert fit(folder, spec)
    left = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert left == ["step-000002", "step-000003"]


@pytest.mark.parametrize("lora", [None, LoraSpec(rank=4, alpha=8)])
def test_weights_that_the_last_step_made_no_numbers_are_no_checkpoint(prepare: Prepare, lora: LoraSpec | None) -> None:
    """The loss of a step is that of the weights before it."""
    folder, spec = prepare(max_steps=1, actor_learning_rate=1e30, lora=lora)
    with pytest.raises(TrainingError, match="weights are not numbers") as caught:
        fit(folder, spec)
    assert "--actor-learning-rate" in in_command(caught.value.hint)
    assert whole_checkpoints(folder) == []
    assert list((folder / "checkpoints").iterdir()) == []


def test_a_validation_loss_that_is_no_number_stops_with_a_word(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, spec = prepare(max_steps=2, save_steps=1, validation=0.4)
    real = Judge.logits

    def unreal(self: Judge, inputs: dict[str, Any], keep: int) -> Any:
        return real(self, inputs, keep) * (1.0 if self.model.training else float("nan"))

    monkeypatch.setattr(Judge, "logits", unreal)
    with pytest.raises(TrainingError, match="validation loss is not a number after step 1"):
        fit(folder, spec)
    assert whole_checkpoints(folder) == []


def test_the_loss_is_the_models_own(prepare: Prepare) -> None:
    """transformers shifts logits against labels in its own code; ours must come to the same."""
    folder, spec = prepare()
    made = Fit(folder, spec, take_place(spec))
    lengthen_every_other(folder)
    rows = [row for row in Rows(data_files(folder)) if row.kind is MediaKind.IMAGE][:2]
    (micro,) = made._collator.micro_batches(rows)
    made.judge.model.eval()
    with torch.no_grad():
        own = made.judge.model(**micro.inputs, labels=micro.labels).loss
        ours = made._loss(micro) / micro.tokens
    assert float(ours) == pytest.approx(float(own), rel=1e-4)


class Recorder:
    """Stands where the optimizer does and keeps the gradient."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.param_groups = [{"lr": 0.0}]
        self._parameters = parameters
        self.gradient = torch.empty(0)

    def step(self) -> None:
        grads = [p.grad.flatten() for p in self._parameters.values()]
        self.gradient = torch.cat(grads)

    def zero_grad(self, *, set_to_none: bool) -> None:
        pass


def test_micro_batches_change_nothing_about_a_step(prepare: Prepare) -> None:
    """Responses differ in length, so that a mean of means would not be the mean."""
    gradients = []
    for size in (1, 4):
        folder, spec = prepare(f"micro-{size}", max_steps=1, micro_train_batch_size=size, max_norm=1e9)
        lengthen_every_other(folder)
        made = Fit(folder, spec, take_place(spec))
        made._optimizer = Recorder(made.judge.trained)
        ((step, groups),) = made._batches(0)
        kinds = {row.kind for rows in groups for row in rows}
        assert len(kinds) == 2, "this step is to be mixed"
        assert len(groups) == 4 // size
        micros = (micro for rows in groups for micro in made._collator.micro_batches(rows))
        made._step(step, micros, None)
        gradients.append(made._optimizer.gradient)
    one, other = gradients
    assert float((one - other).norm() / one.norm()) < 1e-3


def lengthen_every_other(folder: Path) -> None:
    for file in data_files(folder):
        lines = file.path.read_text().splitlines(keepends=True)
        lines[1::2] = [line.replace("<think>\\n", "<think>\\n" + "well " * 30) for line in lines[1::2]]
        file.path.write_text("".join(lines))


def test_a_loss_that_is_no_number_stops_with_a_word_and_keeps_the_checkpoints(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, spec = prepare(max_steps=4, save_steps=1)
    real, calls = Judge.logits, count()

    def after_two_steps(self: Judge, inputs: dict[str, Any], keep: int) -> Any:
        logits = real(self, inputs, keep)
        return logits * float("nan") if next(calls) >= 8 else logits

    monkeypatch.setattr(Judge, "logits", after_two_steps)
    with pytest.raises(TrainingError, match="not a number at step 3") as caught:
        fit(folder, spec)
    assert "--actor-learning-rate" in in_command(caught.value.hint)
    assert [c.step for c in whole_checkpoints(folder)] == [1, 2]
    assert not any(
        value.isnan().any()
        for value in load_file(folder / "checkpoints" / "step-000002" / "model.safetensors").values()
    )


def test_memory_that_is_used_up_names_the_knobs(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, spec = prepare(max_steps=1, micro_train_batch_size=2)

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(Judge, "logits", full)
    with pytest.raises(TrainingError, match="out of GPU memory") as caught:
        fit(folder, spec)
    assert "--micro-train-batch-size (now 2)" in in_command(caught.value.hint)


def test_a_full_disk_leaves_the_checkpoint_before_it(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, spec = prepare(max_steps=2, save_steps=1)
    real = checkpoints._save_state

    def full(path: Path, judge: Judge, optimizer: Any) -> None:
        real(path, judge, optimizer)
        if "step-000002" in str(path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "_save_state", full)
    with pytest.raises(TrainingError, match="cannot be written"):
        fit(folder, spec)
    assert [c.step for c in whole_checkpoints(folder)] == [1]
    assert not list((folder / "checkpoints").glob("*.partial"))


def test_adapters_leave_the_frozen_weights_alone_and_are_merged_into_the_rest(
    prepare: Prepare, judge_folder: Path
) -> None:
    folder, spec = prepare(
        max_steps=2, save_steps=2, lora=LoraSpec(rank=4, alpha=8, dropout=0.0), actor_learning_rate=1e-2
    )
    made = Fit(folder, spec, take_place(spec))
    assert made.run()
    before, after = load_file(judge_folder / "model.safetensors"), final(folder)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.split(".")[-2] in spec.lora.target_modules for name in changed if spec.lora)
    merged = Judge(spec.model_copy(update={"model": str(folder / "final_checkpoint"), "lora": None}), "cpu", bf16=False)
    row: Row = Rows(data_files(folder))[0]
    (micro,) = made._collator.micro_batches([row])
    made.judge.model.eval()
    merged.model.eval()
    with torch.no_grad():
        adapted, plain = (one.logits(micro.inputs, micro.keep) for one in (made.judge, merged))
    # The folder's weights are half precision.
    assert torch.allclose(adapted, plain, atol=0.1)
    assert (adapted - plain).abs().max() < 0.1 * (adapted.abs().max())
