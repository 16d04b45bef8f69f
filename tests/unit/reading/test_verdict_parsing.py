"""Answers, reasoning and flaws; and texts that nobody should write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.pairs import MediaKind, Preference
from backend.domain.reading import (
    Flaw,
    Verdict,
    flaw_mask,
    flaws_of,
    parse_verdict,
    reasoning_hash,
    reasoning_of,
    repeated_threshold,
)
from backend.domain.reading.sections import _take_any, take_apart

FIRST, SECOND, TIE = Preference.FIRST, Preference.SECOND, Preference.TIE


def read(text: str, kind: MediaKind = MediaKind.IMAGE, **options: object) -> Verdict:
    return parse_verdict(text, kind, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("Image 1 is better", FIRST),
        ("  image 2 IS better.\n", SECOND),
        ("**Image 2** is better", SECOND),
        ("Image 1 is slightly better than Image 2", FIRST),
        ("The first image is better", FIRST),
        ("Image 2", SECOND),
        ("2", SECOND),
        ("Both images are equally good", TIE),
        ("Tie", TIE),
        ("Image 1 and Image 2 are equally good.", TIE),
    ],
)
def test_an_answer_tag_is_read(content: str, answer: Preference) -> None:
    verdict = read(f"<think>Because.</think>\n< Answer >{content}</ANSWER>")
    assert verdict.answer is answer
    assert verdict.flaws == set()


@pytest.mark.parametrize(
    "content", ["", "Image 3 is better", "Image 1 is not better", "maybe", "Image 1 is better or Image 2 is better"]
)
def test_an_answer_tag_that_says_nothing_clear_is_unreadable(content: str) -> None:
    verdict = read(f"<think>Because.</think><answer>{content}</answer> Image 1 is better")
    assert verdict.answer is None
    assert verdict.flaws == {Flaw.UNREADABLE_ANSWER}


def test_several_answers_count_when_they_agree_and_conflict_when_they_differ() -> None:
    agree = read("<think>x</think><answer>Image 2 is better</answer><answer>Image 2</answer>")
    assert (agree.answer, agree.flaws) == (SECOND, set())
    differ = read("<think>x</think><answer>Image 2 is better</answer><answer>Image 1</answer>")
    assert (differ.answer, differ.flaws) == (None, {Flaw.CONFLICTING_ANSWERS})


def test_without_a_tag_the_last_claim_outside_the_reasoning_counts() -> None:
    text = "<think>Image 2 is better at light.</think> Image 1 is better in light, image 2 is better."
    assert read(text).answer is SECOND
    assert read("<think>x</think>Both images are equally good").answer is TIE
    hidden = read("<think>Image 2 is better</think>")
    assert (hidden.answer, hidden.flaws) == (None, {Flaw.NO_ANSWER})


def test_an_unfinished_answer_tag_is_read_when_its_words_are_whole() -> None:
    assert read("<think>x</think><answer>Image 2 is better").answer is SECOND
    cut = read("<think>x</think><answer>Image", finish_reason="length")
    assert (cut.answer, cut.flaws) == (None, {Flaw.UNREADABLE_ANSWER, Flaw.CUT_OFF})


@pytest.mark.parametrize("kind", MediaKind)
def test_the_wrong_medium_is_a_flaw_and_the_answer_is_read(kind: MediaKind) -> None:
    other = "Video" if kind is MediaKind.IMAGE else "Image"
    verdict = read(f"<think>x</think><answer>{other} 2 is better</answer>", kind)
    assert (verdict.answer, verdict.flaws) == (SECOND, {Flaw.WRONG_MEDIUM})


@pytest.mark.parametrize(
    ("reasoning", "wrong"),
    [
        ("Image 1 is sharp (8/10); Image 2 is not (3/10)", True),
        ("The **first image** moves well", True),
        ("Video 1 looks like the still of an image 2 metres wide", False),
        ("it has no image 12 and no imagery", False),
        ("sharp", False),
    ],
)
def test_reasoning_that_names_only_the_other_medium_is_about_the_wrong_one(reasoning: str, wrong: bool) -> None:
    verdict = read(f"<think>{reasoning}</think><answer>Video 2 is better</answer>", MediaKind.VIDEO)
    assert verdict.answer is SECOND
    assert (Flaw.WRONG_MEDIUM in verdict.flaws) is wrong


def test_an_answer_outside_its_tags_is_read_and_has_a_flaw_of_its_own() -> None:
    verdict = read("<think>why</think>\nImage 2 is better")
    assert (verdict.answer, verdict.flaws) == (SECOND, {Flaw.UNTAGGED_ANSWER})
    tagged = read("<think>why</think>\n<answer>Image 2 is better</answer> so Image 2 is better")
    assert tagged.flaws == frozenset()


@pytest.mark.parametrize("word", ["\u0131mage", "\u0130mage"])
def test_letters_that_only_resemble_the_noun_do_not_break_reading(word: str) -> None:
    read(f"<think>{word} 1</think>{word} 2 is better")


def test_reasoning_is_what_stands_in_think_tags() -> None:
    verdict = read("<THINK>\n why \n</think>\n<answer>Image 1 is better</answer>")
    assert verdict.reasoning == "why"


@pytest.mark.parametrize(
    ("text", "reasoning", "flaws"),
    [
        ("why <answer>Image 1</answer>", "why", {Flaw.MISSING_REASONING}),
        ("<answer>Image 1</answer>", "", {Flaw.MISSING_REASONING}),
        ("<think> </think><answer>Image 1</answer>", "", {Flaw.MISSING_REASONING}),
        ("why</think><answer>Image 1</answer>", "why", set()),
        ("<think>why <answer>Image 1</answer>", "why", {Flaw.UNCLOSED_REASONING}),
    ],
)
def test_missing_and_unclosed_reasoning_are_flaws(text: str, reasoning: str, flaws: set[Flaw]) -> None:
    verdict = read(text)
    assert (verdict.answer, verdict.reasoning, verdict.flaws) == (FIRST, reasoning, flaws)
    assert reasoning_of(text) == reasoning


def test_reasoning_is_not_missed_where_none_was_asked_for() -> None:
    assert read("<answer>Image 1</answer>", use_cot=False).flaws == set()


def test_an_end_at_the_token_limit_is_a_cut() -> None:
    text = "<think>x</think><answer>Image 1 is better</answer>"
    assert read(text, finish_reason="length").flaws == {Flaw.CUT_OFF}
    assert read(text, finish_reason="stop").flaws == set()


@given(st.sets(st.sampled_from(Flaw)))
def test_a_flaw_mask_gives_its_flaws_back(flaws: set[Flaw]) -> None:
    assert flaws_of(flaw_mask(frozenset(flaws))) == flaws


def test_flaw_bits_stay_where_stored_masks_have_them() -> None:
    assert [flaw_mask([flaw]) for flaw in Flaw] == [1 << bit for bit in range(13)]
    assert next(iter(Flaw)) is Flaw.NO_ANSWER
    assert list(Flaw)[10:] == [Flaw.REPEATED_REASONING, Flaw.UNTAGGED_ANSWER, Flaw.QUALIFIED_ANSWER]
    assert flaws_of(1 << 40 | 2) == {Flaw.UNREADABLE_ANSWER}


def test_equal_reasoning_has_an_equal_signed_64_bit_hash() -> None:
    assert reasoning_hash("The DOG\n is red") == reasoning_hash("the dog is  Red ")
    assert reasoning_hash("a") != reasoning_hash("b")
    assert reasoning_hash(" \n") is None
    assert all(-(2**63) <= (reasoning_hash(str(i)) or 0) < 2**63 for i in range(50))
    assert any((reasoning_hash(str(i)) or 0) < 0 for i in range(50))


@pytest.mark.parametrize(("pairs", "threshold"), [(0, 3), (300, 3), (301, 4), (10_000, 100)])
def test_reasoning_is_repeated_from_one_pair_in_a_hundred(pairs: int, threshold: int) -> None:
    assert repeated_threshold(pairs) == threshold


FRAGMENTS = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "Image 1",
    "video 2",
    " is better",
    "both",
    "Aesthetics",
    ":",
    "\n",
    "|",
    "|---|",
    "(8)",
    "8/10",
    " 7",
    "9+8=17",
    "Total",
    "=",
    "**",
    ";",
    "- ",
    "-3/10",
    "é",
    "\ud800",
    "\x00",
    "１",
    "²",
    "İmage 1",
]


@given(
    st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)),
    st.sampled_from(MediaKind),
    st.booleans(),
)
def test_no_text_raises_and_every_verdict_is_consistent(text: str, kind: MediaKind, use_cot: bool) -> None:
    verdict = read(text, kind, use_cot=use_cot)
    assert verdict == read(text, kind, use_cot=use_cot)
    assert verdict.reasoning == reasoning_of(text)
    reasoning_hash(verdict.reasoning)
    silent = {Flaw.NO_ANSWER, Flaw.UNREADABLE_ANSWER, Flaw.CONFLICTING_ANSWERS}
    assert verdict.answer is not None or verdict.flaws & silent


HOSTILE = [
    "(",
    "Image 1 ",
    "<think>",
    "<answer>",
    "<answer>Image 1 is better</answer>",
    "Image 1: 8\n",
    "a:\n",
    "|",
    "|a|b|\n",
    "Image 1 8/10 ",
    "9+",
    "8",
    "8 ",
    "- ",
    "= 8 ",
    "(8)",
    "Image 1;",
    "<",
    "a ",
    "**",
    "Total: ",
    "(score:",
    "Image 1 is better ",
    "\n",
    "| 1 ",
    "Aesthetics ",
]


# Linear work takes a fraction of a second here; quadratic work does not end before the limit.
@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("opening", ["<", "<think>A: "])
def test_a_hostile_text_of_any_shape_is_read_to_its_end(unit: str, opening: str) -> None:
    text = opening + unit * (60_000 // len(unit)) + "\n<answer>Image 1 is better</answer>"
    verdict = parse_verdict(text, MediaKind.IMAGE)
    assert verdict == parse_verdict(text, MediaKind.IMAGE)
    assert len(verdict.dimensions) <= 64


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ["(", "Image 1 ", "<think>"])
def test_a_megabyte_without_an_answer_is_read_as_one(unit: str) -> None:
    verdict = parse_verdict("<think>" + unit * (1_000_000 // len(unit)), MediaKind.IMAGE)
    assert verdict.answer is None


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", " why ", "Image 1", "\n", "<"]), max_size=9
    ).map("".join)
)
def test_the_short_way_to_the_sections_finds_what_the_long_way_finds(text: str) -> None:
    for whole in (text, f"<think>{text}</think>\n<answer>Image 2</answer>\n"):
        assert take_apart(whole) == _take_any(whole)
