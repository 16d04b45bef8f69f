"""``--train NAME=VALUE`` as values of a training's spec."""

from __future__ import annotations

from typing import Any

import pytest

from backend.cli.loop_options import training_values
from backend.errors import UsageError
from backend.loop.checks import with_values


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["max-epochs=1"], {"max_epochs": "1"}),
        (["lora_rank=8", "lora.alpha=16"], {"lora": {"rank": "8", "alpha": "16"}}),
        (["lora_target_modules=q_proj,v_proj"], {"lora": {"target_modules": ["q_proj", "v_proj"]}}),
        (["lora=yes"], {"lora": {}}),
        (["lora=no"], {"lora": False}),
        (["lora=no", "lora_rank=8"], {"lora": {"rank": "8"}}),
        (["command=train 'a b' {data}"], {"command": ("train", "a b", "{data}")}),
        (["master_addr=a=b"], {"master_addr": "a=b"}),
    ],
)
def test_a_word_becomes_the_value_that_the_trainer_knows(words: list[str], values: dict[str, Any]) -> None:
    assert training_values(words) == values


@pytest.mark.parametrize("word", ["max_epochs", "=1", "max_epochs=", "lora=8", "lora_rank="])
def test_a_word_that_is_no_name_and_value_is_refused_in_one_line(word: str) -> None:
    with pytest.raises(UsageError) as refused:
        training_values([word])
    assert word in refused.value.message and refused.value.hint


def test_an_empty_value_goes_back_to_the_default_where_options_are_replaced() -> None:
    given = training_values(["max_steps=", "lora_rank=", "fps=1"], may_unset=True)
    before = {"max_steps": 5, "lora": {"rank": 8, "alpha": 4}, "seed": 1}
    assert with_values(before, given) == {"lora": {"alpha": 4}, "fps": "1", "seed": 1}


def test_adapters_are_replaced_one_value_at_a_time_and_taken_away_as_a_whole() -> None:
    before = {"lora": {"rank": 8, "alpha": 16}}
    assert with_values(before, {"lora": {"rank": "4"}}) == {"lora": {"rank": "4", "alpha": 16}}
    assert with_values(before, {"lora": False}) == {}
