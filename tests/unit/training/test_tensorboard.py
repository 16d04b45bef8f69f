"""Event files that TensorBoard's own writer made, as metrics."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from backend.training.tensorboard import read_metrics, read_scalars

writing = pytest.importorskip("torch.utils.tensorboard")


def write(folder: Path, values: list[tuple[str, float, int]]) -> None:
    writer = writing.SummaryWriter(str(folder))
    for tag, value, step in values:
        writer.add_scalar(tag, value, step)
    writer.add_text("note", "not a scalar", 1)
    writer.close()


def test_scalars_come_back_as_metrics_by_step(tmp_path: Path) -> None:
    write(
        tmp_path / "ppo_1123T20:37",
        [("train/loss", 2.5, 1), ("train/lr", 1e-5, 1), ("train/loss", 1.5, 300), ("eval/loss", 1.75, 300)],
    )
    one, two = read_metrics(tmp_path)
    assert (one.step, one.loss) == (1, 2.5)
    assert one.learning_rate == pytest.approx(1e-5)
    assert (two.step, two.loss, two.validation_loss) == (300, 1.5, 1.75)
    assert one.time is not None and one.time > 1e9


def test_scalars_written_as_tensors_are_read_too(tmp_path: Path) -> None:
    writer = writing.SummaryWriter(str(tmp_path))
    writer.add_scalar("loss", 0.25, 7, new_style=True)
    writer.close()
    assert [(s.tag, s.step, s.value) for s in read_scalars(tmp_path)] == [("loss", 7, 0.25)]


def test_a_file_that_is_being_written_is_read_up_to_its_last_whole_record(tmp_path: Path) -> None:
    write(tmp_path, [("train/loss", float(step), step) for step in range(1, 6)])
    (file,) = tmp_path.glob("events*")
    whole = len(read_scalars(tmp_path))
    data = file.read_bytes()
    for cut in range(0, len(data), 7):
        file.write_bytes(data[:cut])
        assert len(read_scalars(tmp_path)) <= whole
    file.write_bytes(b"\xff" * 100)
    assert read_scalars(tmp_path) == []


def test_a_loss_that_is_no_number_is_read_as_such(tmp_path: Path) -> None:
    write(tmp_path, [("train/loss", math.nan, 1)])
    loss = read_metrics(tmp_path)[0].loss
    assert loss is not None and math.isnan(loss)
