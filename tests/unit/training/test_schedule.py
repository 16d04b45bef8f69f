"""Which rows and which learning rate a step has."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from backend.training.local.schedule import Batches, learning_rate_at, total_steps
from backend.training.spec import PRESETS, SetRef, TrainingSpec

REF = SetRef(id=1, name="s", version=1, content_hash="0")


def spec(**values: Any) -> TrainingSpec:
    return TrainingSpec(trainer="local", model="m", output_dir="/o", sets=(REF,), **values)


def test_an_epoch_shows_every_row_once_and_epochs_differ_in_order() -> None:
    plan = spec(train_batch_size=4, max_epochs=2)
    batches = Batches(plan, 10)
    epochs = [[batches.rows_of(step) for step in steps] for steps in (range(3), range(3, 6))]
    assert total_steps(plan, 10) == 6
    for epoch in epochs:
        assert sorted(row for batch in epoch for row in batch) == list(range(10))
        assert [len(batch) for batch in epoch] == [4, 4, 2]
    assert epochs[0] != epochs[1]


def test_a_steps_rows_do_not_depend_on_the_steps_before_it() -> None:
    plan = spec(train_batch_size=4, max_epochs=3)
    from_start, later = Batches(plan, 10), Batches(plan, 10)
    expected = [from_start.rows_of(step) for step in range(9)]
    assert later.rows_of(7) == expected[7]
    assert later.rows_of(2) == expected[2]
    assert Batches(spec(train_batch_size=4, seed=1), 10).rows_of(0) != expected[0]


def test_the_learning_rate_rises_then_falls_to_a_tenth_and_never_is_zero() -> None:
    plan = spec(actor_learning_rate=1.0, lr_warmup_ratio=0.1)
    rates = [learning_rate_at(plan, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert rates[10] == 1.0
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert 0.1 <= rates[-1] < 0.102


def test_max_steps_cuts_a_training_short() -> None:
    assert total_steps(spec(max_steps=5, train_batch_size=1), 100) == 5
    assert total_steps(spec(max_steps=500, train_batch_size=1, max_epochs=1), 100) == 100


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_valid_spec(name: str) -> None:
    assert spec(**PRESETS[name]).gradient_accumulation_steps >= 1
