"""Laws of reading, over generated sentences."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.domain.pairs import MediaKind, Preference
from backend.domain.reading import Verdict, parse_verdict

SIDES = [
    ("Image 1", "Image 2"),
    ("the first image", "the second image"),
    ("Image A", "Image B"),
    ("the left image", "the right image"),
    ("**Image 1**", "**Image 2**"),
    ("the first one", "the second one"),
    ("picture 1", "picture 2"),
    ("response A", "response B"),
]
CHINESE = [("图1", "图2"), ("图像1", "图像2"), ("第一张图", "第二张图"), ("视频1", "视频2"), ("图片1", "图片2")]
# "{a}" is spoken of; "{b}" is compared with.
COMPARATIVES = [
    "{a} compared to {b} is better",
    "{a} when compared with {b} is better",
    "{a} relative to {b} is superior",
    "{a}, rather than {b}, is better",
    "{a} as opposed to {b} is the winner",
    "{a} over {b} is preferred",
    "{a} versus {b} is clearly better",
    "{a} in comparison to {b} is better overall",
    "{a} with fewer flaws than {b} is better",
    "compared to {b}, {a} is better",
    "unlike {b}, {a} wins",
    "{a} is better than {b}",
    "{a} outperforms {b}",
    "I prefer {a} to {b}",
    "I would choose {a} over {b}",
    "{a} beats {b}",
    "{a} > {b}",
    "{a}, not {b}, is better",
    "{a} is superior to {b}",
    "{a} is preferable to {b}",
    "{a} next to {b} is better",
    "the winner is {a}, not {b}",
    "{a} beside {b} is better",
    "{a} followed by {b} is better",
    "{a} is the better one than {b}",
    "{a} which is sharper than {b} is better",
    "in contrast to {b}, {a} is better",
    "{a} against {b} is better",
]
CHINESE_COMPARATIVES = [
    "{a}比{b}更好",
    "{a}较{b}更优",
    "{a}相较于{b}更好",
    "{a}相比于{b}更好",
    "与{b}相比，{a}更好",
    "{a}与{b}相比更好",
    "相比{b}，{a}更好",
    "比起{b}，{a}更好",
    "{a}的效果比{b}更好",
    "{a}明显比{b}更好",
    "{a}优于{b}",
    "{a}胜过{b}",
    "{a}比{b}好",
    "{a}相对于{b}更好",
    "{a}的质量比{b}更好",
    "{a}而不是{b}更好",
]
SENTENCES = [
    *COMPARATIVES,
    "{a} is better",
    "{a} is not better",
    "{a} may be better",
    "only the light of {a} is better",
    "nothing about {a} is better",
    "{a} is better in colour",
    "{a} is better, although {b} is better lit",
    "{a} and {b} are equally good",
    "neither {a} nor {b} is better",
    "{a} is worse than {b}",
    "{a} is better in colour, but overall {b} is better",
    "both {a} and {b} are fine",
    "{a} or {b} is better",
    "{a}, {b}",
    "{a} is better. {b} is better.",
    "is {a} better?",
    "answer: {a}",
    "{a} loses to {b}",
    "{a} is no better than {b}",
    "not {a} but {b} is better",
]
RATIONALES = [
    "The light is warm.",
    "It shows three dogs on a bench, as the caption asks.",
    "One has a crisp sky; its colours are soft.",
    "There is a red kite over two dunes.",
    "The hands have five fingers each.",
]


def tagged(sentence: str) -> Verdict:
    return parse_verdict(f"<think>x</think>\n<answer>{sentence}</answer>", MediaKind.IMAGE)


def answers(template: str, names: tuple[str, str]) -> tuple[Preference | None, Preference | None]:
    """The answer, and the answer to the same sentence with the names exchanged."""
    a, b = names
    return tagged(template.format(a=a, b=b)).answer, tagged(template.format(a=b, b=a)).answer


@pytest.mark.parametrize("template", COMPARATIVES)
@pytest.mark.parametrize("names", SIDES, ids=lambda names: names[0])
def test_no_comparative_names_its_object(template: str, names: tuple[str, str]) -> None:
    straight, exchanged = answers(template, names)
    assert straight in (Preference.FIRST, None)
    assert exchanged in (Preference.SECOND, None)


@pytest.mark.parametrize("template", CHINESE_COMPARATIVES)
@pytest.mark.parametrize("names", CHINESE, ids=lambda names: names[0])
def test_no_chinese_comparative_names_its_object(template: str, names: tuple[str, str]) -> None:
    straight, exchanged = answers(template, names)
    assert straight in (Preference.FIRST, None)
    assert exchanged in (Preference.SECOND, None)


def test_the_plain_comparatives_are_read() -> None:
    read = [template for template in COMPARATIVES if answers(template, SIDES[0])[0]]
    chinese = [template for template in CHINESE_COMPARATIVES if answers(template, CHINESE[0])[0]]
    # To say nothing is right, but not the rule.
    assert len(read) >= len(COMPARATIVES) - 4
    assert len(chinese) >= len(CHINESE_COMPARATIVES) - 2


EXCHANGED = {
    Preference.FIRST: Preference.SECOND,
    Preference.SECOND: Preference.FIRST,
    Preference.TIE: Preference.TIE,
    None: None,
}


@given(
    st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=3),
    st.sampled_from(SIDES),
    st.sampled_from([". ", ", ", "; ", ", but ", " while ", ", so ", "\n"]),
    st.booleans(),
)
def test_exchanging_the_two_names_exchanges_the_answer_and_nothing_else(
    sentences: list[str], names: tuple[str, str], between: str, in_tag: bool
) -> None:
    a, b = names
    template = between.join(sentences)
    frame = "<think>x</think>\n<answer>{}</answer>" if in_tag else "<think>x</think>\n{}"
    straight = parse_verdict(frame.format(template.format(a=a, b=b)), MediaKind.IMAGE)
    exchanged = parse_verdict(frame.format(template.format(a=b, b=a)), MediaKind.IMAGE)
    assert exchanged.answer is EXCHANGED[straight.answer]
    assert exchanged.flaws == straight.flaws


@given(st.sampled_from(SENTENCES), st.sampled_from(SIDES), st.lists(st.sampled_from(RATIONALES), max_size=4))
def test_a_rationale_in_front_changes_nothing(template: str, names: tuple[str, str], rationale: list[str]) -> None:
    sentence = template.format(a=names[0], b=names[1])
    front = " ".join(rationale)
    alone = tagged(sentence)
    # Two names and nothing else are an answer's form, and with a rationale are none.
    assume(template != "{a}, {b}")
    behind = parse_verdict(f"<think>{front} x</think>\n<answer>{sentence}</answer>", MediaKind.IMAGE)
    assert (behind.answer, behind.flaws) == (alone.answer, alone.flaws)
    inside = tagged(f"{front} {sentence[0].upper()}{sentence[1:]}")
    assert inside.answer is alone.answer


@given(st.sampled_from(SENTENCES), st.sampled_from(SIDES), st.sampled_from(list(MediaKind)))
def test_what_is_read_twice_reads_alike(template: str, names: tuple[str, str], kind: MediaKind) -> None:
    text = f"<think>x</think>\n{template.format(a=names[0], b=names[1])}"
    assert parse_verdict(text, kind) == parse_verdict(text, kind)


@given(st.sampled_from(SENTENCES), st.sampled_from(SIDES), st.sampled_from("\u00a0\u2009\u202f"))
def test_spaces_of_any_kind_and_signs_without_width_change_nothing(
    template: str, names: tuple[str, str], space: str
) -> None:
    sentence = template.format(a=names[0], b=names[1])
    other = re.sub(" ", space, sentence).replace("e", "e\u200b")
    assert tagged(other).answer is tagged(sentence).answer


@given(
    st.sampled_from(["think", "thinking", "reasoning"]),
    st.sampled_from(["Image 1 is better", "Image 2 is better"]),
    st.lists(st.sampled_from(["Image 1 is better", "Image 2 is better", "Image 1", " … "]), max_size=3),
    st.booleans(),
)
def test_answers_quoted_in_the_reasoning_never_count_beside_one_behind_it(
    tag: str, answer: str, quoted: list[str], opened: bool
) -> None:
    inside = "".join(f"I may write <answer>{words}</answer>. " for words in quoted)
    start = f"<{tag}>" if opened else ""
    text = f"{start}Both have a dog. {inside}</{tag}>\n<answer>{answer}</answer>"
    verdict = parse_verdict(text, MediaKind.IMAGE)
    assert verdict.answer is (Preference.FIRST if "1" in answer else Preference.SECOND)
    assert verdict.flaws == frozenset()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    [
        "Image 1 is better ",
        "Image 1 than ",
        "比图1",
        "图1更好",
        "[[A>B]]",
        "\\boxed{1} ",
        '{"winner": "A", ',
        "<choice>A</choice>",
        "not Image 1, ",
        "in colour ",
        "Answer: A\n",
        "<thinking>",
        "◁think▷",
        "<answer>x",
        "the first ",
        "with than of ",
    ],
)
def test_a_hostile_answer_is_read_in_linear_time(unit: str) -> None:
    text = "<think>x</think>\n" + unit * (60_000 // len(unit))
    assert parse_verdict(text, MediaKind.IMAGE) == parse_verdict(text, MediaKind.IMAGE)
