"""Captions in instructions: put there as text, and taken out again unchanged."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.domain.captions import BREAK, as_text, from_text
from backend.domain.pairs import MediaKind
from backend.domain.prompts import caption_from, default_instruction, fill_instruction

TOKENS = [
    "<|image_pad|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|reserved_special_token_0|>",
    "<image>",
    "<video>",
    "<audio>",
    "</s>",
    "<pad>",
    "<IMG_CONTEXT>",
    "<start_of_turn>",
    "<image_soft_token>",
    "<loc0001>",
    "<｜end▁of▁sentence｜>",
    "[INST]",
    "[/INST]",
    "[IMG_BREAK]",
    "[gMASK]",
    "[UNUSED_TOKEN_145]",
    "◁image▷",
    "<think>",
    "<fake_token_around_image>",
    "<|image_1|>",
]
TEMPLATES = [
    *(default_instruction(kind, use_cot=cot) for kind in MediaKind for cot in (True, False)),
    "{prompt}",
    "Caption: {prompt}",
    "「{prompt}」 twice: {prompt}\n\nJudge {braces}.",
    "[{prompt}]",
]

pieces = st.sampled_from(
    [
        *TOKENS,
        BREAK,
        f"<{BREAK}image>",
        f"<{BREAK * 2}|im_end|>",
        "[",
        "]",
        "<",
        ">",
        "|",
        "「",
        "」",
        '"',
        "\n\n",
        "\n",
        " ",
        "{prompt}",
        "Caption: ",
        "a cat",
    ]
)
captions = st.lists(pieces | st.text(max_size=8), max_size=12).map("".join)


@pytest.mark.parametrize("token", TOKENS)
def test_no_token_of_a_model_or_trainer_is_left_whole_in_a_prompt(token: str) -> None:
    filled = fill_instruction("Caption: {prompt}", f"two {token}{token}cats")
    assert token not in filled
    assert filled.replace(BREAK, "") == f"Caption: two {token}{token}cats"


@pytest.mark.parametrize(
    "caption", ["a < b and c > d", "I <3 you", "[1] a cat", "a [red] car", "50% off |x|", "図「猫」", ""]
)
def test_a_caption_that_spells_no_token_is_put_in_as_it_is(caption: str) -> None:
    assert as_text(caption) == caption


@given(captions)
@example(f"<{BREAK}image>")
@example("<|[IMG]|>")
def test_breaking_a_caption_keeps_every_other_character_and_can_be_undone(caption: str) -> None:
    text = as_text(caption)
    assert from_text(text) == caption
    assert text.replace(BREAK, "") == caption.replace(BREAK, "")
    assert not [token for token in TOKENS if token in text]


@given(captions, st.sampled_from(TEMPLATES))
def test_the_caption_of_a_filled_instruction_is_the_one_that_was_put_in(caption: str, template: str) -> None:
    assert caption_from(template, fill_instruction(template, caption)) == caption


def test_an_instruction_of_another_template_gives_no_caption() -> None:
    assert caption_from("Caption: {prompt}", "Prompt: a cat") is None
    assert caption_from("{prompt} or {prompt}", "a cat or a dog") is None
    assert caption_from("no place", "no place") is None
