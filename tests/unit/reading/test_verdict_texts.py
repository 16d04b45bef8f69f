"""Whole texts as judges write them, each with all that is to be read in it."""

# The texts stand as they were written.
# ruff: noqa: E501

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.pairs import MediaKind, Preference
from backend.domain.reading import Flaw, parse_verdict

FIRST, SECOND, TIE = Preference.FIRST, Preference.SECOND, Preference.TIE
SC, AE, AU, TC = "semantic consistency", "aesthetics", "authenticity", "temporal coherence"
Row = tuple[str, float | None, float | None]
NONE = (None, None)
THREE: list[Row] = [(SC, 8, 6), (AE, 7, 5), (AU, 9, 4)]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What stands in ``<think>``, and what is to be read there."""

    body: str
    dimensions: list[Row]
    totals: tuple[float | None, float | None] = NONE
    flaws: frozenset[Flaw] = frozenset()
    answer: str = "Image 1 is better"
    kind: MediaKind = MediaKind.IMAGE


def case(name: str, body: str, dimensions: list[Row], totals: object = NONE, **more: object) -> Any:
    return pytest.param(Case(body=body, dimensions=dimensions, totals=totals, **more), id=name)  # type: ignore[arg-type]


BEHIND_DIMENSION = [
    case("the first, the second one", "Aesthetics: The first image gets 8/10, the second one gets 6/10", [(AE, 8, 6)]),
    case("respectively", "Aesthetics: Image 1 and Image 2 get 8/10 and 6/10 respectively", [(AE, 8, 6)]),
    case("respectively, reversed", "Aesthetics: Image 2 and Image 1 get 6/10 and 8/10 respectively.", [(AE, 8, 6)]),
    case("bare respectively", "Aesthetics: Image 1 and Image 2 score 8 and 6, respectively.", [(AE, 8, 6)]),
    case("better than, vs", "Aesthetics: Image 1 is better than Image 2, 8/10 vs 6/10", [(AE, 8, 6)]),
    case("scores before names, listed", "Aesthetics: 8/10 vs 6/10 (Image 1 vs Image 2)", [(AE, 8, 6)]),
    case(
        "compared to",
        "Aesthetics: Compared to Image 2, Image 1 is crisper (8/10); Image 2 is soft (6/10)",
        [(AE, 8, 6)],
    ),
    case("sentence before", "Aesthetics: Image 1 is fine. Image 2 is soft (6/10).", [(AE, None, 6)]),
    case("name right in front", "Aesthetics: Image 1 is fine and Image 2 gets 6/10.", [(AE, None, 6)]),
    case("the other", "Aesthetics: Image 1 gets 8/10, the other one gets 6/10.", [(AE, 8, 6)]),
    case("the latter", "Aesthetics: Image 1 and Image 2 differ: the latter gets 6/10.", []),
    case("nobody's number", "Aesthetics: Image 1 shows a fox with 8/10 light and a 6/10 sky", []),
    case("rival", "Aesthetics: Image 1 and its rival get 8/10 and 6/10", []),
    case("both sides in one breath", "Aesthetics: Image 1 shows a fox and Image 2 a dog (8/10)", []),
    case("both", "Aesthetics: Both images score 8/10.", [(AE, 8, 8)]),
    case("both, with names", "Aesthetics: Image 1 and Image 2 both get 8/10.", [(AE, 8, 8)]),
    case("images 1 and 2", "Aesthetics: Images 1 and 2 get 8/10 and 6/10.", [(AE, 8, 6)]),
    case(
        "both named, own scores", "Aesthetics: Both images are sharp, Image 1 (8/10) and Image 2 (6/10).", [(AE, 8, 6)]
    ),
    case("because", "Aesthetics:\nImage 1: 8 because the light is soft\nImage 2: 6 since it is dark", [(AE, 8, 6)]),
    case("pts", "Aesthetics:\nImage 1: 8 pts\nImage 2: 6 points", [(AE, 8, 6)]),
    case("score (side)", "Aesthetics:\nScore (Image 1): 8\nScore (Image 2): 6", [(AE, 8, 6)]),
    case("score for side", "Aesthetics:\nScore for Image 1: 8/10\nScore for Image 2: 6/10", [(AE, 8, 6)]),
    case("8 out of 10", "Aesthetics: Image 1 deserves 8 out of 10, Image 2 deserves 6 out of 10.", [(AE, 8, 6)]),
    case("8/10 and 6/10", "Aesthetics: 8/10 and 6/10", [(AE, 8, 6)]),
    case("ranges are no scores", "Aesthetics: Image 1: 7-8/10, Image 2: 6/10", [(AE, None, 6)]),
    case("bare ranges", "Aesthetics: Image 1: 7-8; Image 2: 5 to 6", []),
    case("8 or 9", "Aesthetics: Image 1: 8 or 9/10; Image 2: 6/10", [(AE, None, 6)]),
    case("scores before names", "Aesthetics: 8/10 - Image 1; 6/10 - Image 2", [(AE, 8, 6)]),
    case("I give", "Aesthetics: I give 8/10 to Image 1 and 6/10 to Image 2.", [(AE, 8, 6)]),
    case("I would rate", "Aesthetics: I would rate Image 1 an 8/10 and Image 2 a 6/10.", [(AE, 8, 6)]),
    case("Image A", "Aesthetics: Image A: 8/10, Image B: 6/10", [(AE, 8, 6)]),
    case("Picture, 1st", "Aesthetics: the 1st picture (8/10) glows; the 2nd picture (6/10) does not", [(AE, 8, 6)]),
    case("boxed", "Aesthetics: Image 1: $\\boxed{8}$, Image 2: $\\boxed{6}$", [(AE, 8, 6)]),
    case("fraction", "Aesthetics: Image 1: $\\frac{8}{10}$; Image 2: $\\frac{6}{10}$", [(AE, 8, 6)]),
    case("Chinese", "美学：图1构图很好（8分）；图2比较暗（6分）", [("美学", 8, 6)]),
    case("Chinese, short", "美学：第一张图得8分，第二张图得6分。", [("美学", 8, 6)]),
    case("another scale", "Aesthetics: Image 1: 80/100, Image 2: 60/100", []),
    case("unlabelled below a side", "Image 1:\nSemantic consistency: fine\nAesthetics: 8/10 vs 6/10", [(AE, 8, 6)]),
    case(
        "would be higher",
        "Image 1:\nAesthetics: 8/10 (9/10 without the artifacts)\nImage 2:\nAesthetics: 6/10",
        [(AE, 8, 6)],
    ),
]

HEADINGS = [
    case(
        "scale in a bold heading",
        "**Semantic Consistency**\nImage 1: 8/10\nImage 2: 6/10\n**Aesthetics (1-10)**\nImage 1: 7/10\nImage 2: 5/10",
        [(SC, 8, 6), (AE, 7, 5)],
    ),
    case(
        "scale in a numbered heading",
        "### 1. Semantic Consistency (1-10)\n- Image 1: 8/10\n- Image 2: 6/10\n### 2. Aesthetics (x/10)\n- Image 1: 7\n- Image 2: 5",
        [(SC, 8, 6), (AE, 7, 5)],
    ),
    case("scale before a colon", "Aesthetics (1-10): Image 1: 8, Image 2: 6", [(AE, 8, 6)]),
    case(
        "score in the name, below a side",
        "Image 1:\n- Semantic consistency (8/10): all there\n- Aesthetics (7/10): calm\nImage 2:\n"
        "- Semantic consistency (6/10): a dog is missing\n- Aesthetics (5/10): cluttered",
        [(SC, 8, 6), (AE, 7, 5)],
    ),
    *(
        case(
            f"block: {heading}",
            f"{heading.format(1)}\n- Semantic consistency: 8/10\n- Aesthetics: 7/10 - calm\n\n"
            f"{heading.format(2)}\n- Semantic consistency: 6/10\n- Aesthetics: 5/10 - duller than Image 1",
            [(SC, 8, 6), (AE, 7, 5)],
        )
        for heading in (
            "### Analysis of Image {}",
            "For Image {}:",
            "Evaluation for Image {}:",
            "**Image {} Analysis:**",
            "## Image {}",
            "Now, let's look at Image {}:",
            "**Image {}'s scores:**",
        )
    ),
    case(
        "one line a side",
        "Image 1: Semantic consistency: 8/10, Aesthetics: 7/10, Authenticity: 9/10\n"
        "Image 2: Semantic consistency: 6/10, Aesthetics: 5/10, Authenticity: 4/10",
        THREE,
    ),
    case(
        "both sides in one line",
        "Image 1: Semantic consistency: 8/10, Aesthetics: 7/10; Image 2: Semantic consistency: 6/10, Aesthetics: 5/10",
        [(SC, 8, 6), (AE, 7, 5)],
    ),
    case(
        "one line a side, with reasons",
        "Image 1: Semantic consistency (8/10) - as asked, Aesthetics (7/10) - calm.\n"
        "Image 2: Semantic consistency (6/10) - a dog is missing, Aesthetics (5/10) - loud.",
        [(SC, 8, 6), (AE, 7, 5)],
    ),
    case(
        "own names in one line",
        "Image 1: Detail: 8/10, Colour: 7/10\nImage 2: Detail: 6/10, Colour: 5/10",
        [("detail", 8, 6), ("colour", 7, 5)],
    ),
    case(
        "all in one line",
        "Semantic consistency: Image 1 fits (8/10); Image 2 less (6/10). Aesthetics: Image 1 is calm (7/10); "
        "Image 2 is loud (5/10). Authenticity: Image 1 (9/10); Image 2 (4/10). Total score: Image 1: 24, Image 2: 15",
        THREE,
        (24, 15),
    ),
    case(
        "names behind scores",
        "Image 1 gets 8/10 for semantic consistency and 7/10 for aesthetics.\n"
        "Image 2 gets 6/10 for semantic consistency and 5/10 for aesthetics.",
        [(SC, 8, 6), (AE, 7, 5)],
    ),
    case("one name behind scores", "Image 1 scores 8/10 in aesthetics while Image 2 scores 6/10.", [(AE, 8, 6)]),
    case("side and name", "Image 1 aesthetics: 8/10\nImage 2 aesthetics: 6/10", [(AE, 8, 6)]),
    case("name with the word score", "Aesthetics score: Image 1: 8, Image 2: 6\nAesthetics: Image 1: 8", [(AE, 8, 6)]),
    case(
        "nested bullets",
        "1. **Semantic Consistency**\n   - **Image 1**\n     - Shows 3 cats as asked\n     - Score: 8/10\n"
        "   - **Image 2**\n     - Shows 2 cats\n     - Score: 6/10\n"
        "2. **Aesthetics**\n   - **Image 1**\n     - Score: 7/10\n   - **Image 2**\n     - Score: 5/10",
        [(SC, 8, 6), (AE, 7, 5)],
    ),
    case(
        "dimensions numbered in words",
        "Dimension 1: Semantic consistency\nImage 1: 8\nImage 2: 6\nDimension 2: Aesthetics\nImage 1: 7\nImage 2: 5",
        [(SC, 8, 6), (AE, 7, 5)],
    ),
    case(
        "videos",
        "**Temporal Coherence:** Video 1 is smooth (8/10). Video 2 flickers at 0:03 (5.5/10).\n**Total:** Video 1: 8, Video 2: 5.5",
        [(TC, 8, 5.5)],
        (8, 5.5),
        answer="Video 1 is better",
        kind=MediaKind.VIDEO,
    ),
    case(
        "table with a mean",
        "| Dimension | Image 1 | Image 2 |\n|---|---|---|\n| Semantic consistency | 8 | 6 |\n| Aesthetics | 7/10 | 5/10 |\n"
        "| **Average** | 7.5 | 5.5 |\n| **Total** | **15** | **11** |",
        [(SC, 8, 6), (AE, 7, 5)],
        (15, 11),
    ),
    case(
        "table of sides",
        "| | Semantic Consistency (1-10) | Aesthetics | Average |\n|---|---|---|---|\n| Image 1 | 8 | 7 | 7.5 |\n| Image 2 | 6 | 5 | 5.5 |",
        [(SC, 8, 6), (AE, 7, 5)],
    ),
    case(
        "table with the word score",
        "| Criterion | Image 1 Score | Image 1 Rationale | Image 2 Score | Image 2 Rationale |\n|:--|:-:|---|:-:|---|\n"
        "| Aesthetics | 8 | 2 dogs | 6 | 3 dogs |",
        [(AE, 8, 6)],
    ),
    case(
        "table with score (side)",
        "| Criterion | Score (Image 1) | Score (Image 2) |\n|---|---|---|\n| Aesthetics | 8 | 6-7 |",
        [(AE, 8, None)],
    ),
]

TWO: list[Row] = [(SC, 8, 6), (AE, 7, 5)]
SCORED = "Semantic consistency: Image 1: 8/10, Image 2: 6/10\nAesthetics: Image 1: 7/10, Image 2: 5/10\n"
TOTALS = [
    case("average", SCORED + "Average: Image 1: 7.5, Image 2: 5.5", TWO),
    case(
        "overall average, then total",
        SCORED + "Overall average: Image 1: 7.5, Image 2: 5.5\nTotal: Image 1: 15, Image 2: 11",
        TWO,
        (15, 11),
    ),
    case("mean below", SCORED + "**Mean score**\nImage 1: 7.5\nImage 2: 5.5", TWO),
    case("on average", SCORED + "On average Image 1 gets 7.5 and Image 2 gets 5.5.", TWO),
    case("side's average", SCORED + "Image 1 average: 7.5\nImage 2 average: 5.5", TWO),
    case("confidence", SCORED + "Confidence: 9/10", TWO),
    case("conclusion", SCORED + "Conclusion: Image 1 is better than Image 2, 15 vs 11.", TWO),
    case("summing", SCORED + "Summing the scores: Image 1: 15, Image 2: 11", TWO, (15, 11)),
    case("adding up", SCORED + "Adding up all the scores, Image 1 gets 15 and Image 2 gets 11.", TWO, (15, 11)),
    case("the totals are", SCORED + "Thus, the totals are: Image 1: 15, Image 2: 11", TWO, (15, 11)),
    case("Chinese", SCORED + "总分：图1：15分，图2：11分", TWO, (15, 11)),
    case("Chinese, by side", SCORED + "图1总分为15，图2总分为11。", TWO, (15, 11)),
    case(
        "both in a dimension",
        "Semantic consistency: Both images score 8/10.\nAesthetics: Image 1: 7/10, Image 2: 5/10\nTotal: Image 1: 15, Image 2: 13",
        [(SC, 8, 8), (AE, 7, 5)],
        (15, 13),
    ),
    case("bold alone", SCORED + "**Total**\nImage 1: 15\nImage 2: 11", TWO, (15, 11)),
    case("heading alone", SCORED + "### Total Score\n- Image 1: 8 + 7 = 15\n- Image 2: 6 + 5 = 11", TWO, (15, 11)),
    case("plain alone", SCORED + "Total Score\nImage 1: 15\nImage 2: 11", TWO, (15, 11)),
    case(
        "has a total of", SCORED + "Image 1 has a total of 15 points\nImage 2 has a total of 11 points", TWO, (15, 11)
    ),
    case(
        "has a total of, in one line",
        SCORED + "So Image 1 has a total of 15 points, while Image 2 has 11.",
        TWO,
        (15, 11),
    ),
    case("overall", SCORED + "Overall, Image 1 scores 15 and Image 2 scores 11.", TWO, (15, 11)),
    case("overall rating", SCORED + "Overall: Image 1: 8, Image 2: 6", TWO),
    case(
        "total for each",
        SCORED + "Total for Image 1: 8/10 + 7/10 = 15/20\nTotal for Image 2: 6/10 + 5/10 = 11/20",
        TWO,
        (15, 11),
    ),
    case("sums without a word", SCORED + "Image 1: 8 + 7 = 15\nImage 2: 6 + 5 = 11", TWO, (15, 11)),
    case("both totals", SCORED + "Total scores: Image 1 and Image 2 get 15 and 11 respectively.", TWO, (15, 11)),
    case("boxed", SCORED + "Total: Image 1: $8 + 7 = \\boxed{15}$, Image 2: $6 + 5 = \\boxed{11}$", TWO, (15, 11)),
    case("prose about it all", SCORED + "Overall, Image 1 is the one to prefer.\nTotal: 15 vs 11", TWO, (15, 11)),
    case(
        "overall in the middle", "Aesthetics:\nOverall, Image 1 looks calm.\nImage 1: 8/10\nImage 2: 6/10", [(AE, 8, 6)]
    ),
    case(
        "total impression",
        "Aesthetics: the total impression of Image 1 is calm (8/10); Image 2 is loud (6/10)",
        [(AE, 8, 6)],
    ),
    case(
        "wrong total", SCORED + "Total: Image 1: 16, Image 2: 11", TWO, (16, 11), flaws=frozenset({Flaw.TOTAL_MISMATCH})
    ),
    case(
        "contradicting",
        SCORED + "Total: Image 1: 15, Image 2: 11",
        TWO,
        (15, 11),
        answer="Image 2 is better",
        flaws=frozenset({Flaw.CONTRADICTS_TOTALS}),
    ),
]

JSON = [
    case(
        "by dimension",
        '```json\n{"semantic_consistency": {"image_1": 8, "image_2": 6}, "aesthetics": {"image_1": 7, "image_2": 5}, '
        '"total": {"image_1": 15, "image_2": 11}}\n```',
        TWO,
        (15, 11),
    ),
    case(
        "by side",
        '{"Image 1": {"Semantic Consistency": 8, "Aesthetics": "7/10", "Total Score": 15},\n'
        ' "Image 2": {"Semantic Consistency": 6, "Aesthetics": "5/10", "Total Score": 11}}',
        TWO,
        (15, 11),
    ),
    case(
        "flat",
        'Scores: {"image_1_semantic_consistency": 8, "image_2_semantic_consistency": 6, "image_1_aesthetics_score": 7, '
        '"image_2_aesthetics_score": 5}',
        TWO,
    ),
    case(
        "list",
        '[{"dimension": "Semantic consistency", "image_1_score": 8, "image_2_score": 6, "average": 7, "rationale": "3 cats"},\n'
        '{"dimension": "Aesthetics", "image_1_score": 7, "image_2_score": 5}]',
        TWO,
    ),
    case("pairs", '{"scores": {"semantic consistency": [8, 6], "aesthetics": [7, 5]}}', TWO),
    case("cut off", '{"aesthetics": {"image_1": 8, ', [(AE, 8, None)]),
    case("about else", '{"aesthetics": 8, "confidence": 9}', []),
]


# Each was read wrongly, or half, at first.
MISREAD = [
    case("respectively", "Aesthetics: Image 2 and Image 1 score 6 and 8 respectively.", [(AE, 8, 6)]),
    case("both, respectively", "Aesthetics: both images get 8 and 6 respectively.", [(AE, 8, 6)]),
    case("one for two names", "Aesthetics: Image 1 and Image 2: 8/10", [(AE, 8, 8)]),
    case("the difference", "Aesthetics: the difference between Image 1 and Image 2 is 3.", []),
    case("decimal comma", "Aesthetics: Image 1: 8,5/10; Image 2: 6/10", [(AE, None, 6)]),
    case("minus", "Aesthetics: Image 1: -1; Image 2: 6", [(AE, None, 6)]),
    case("arrows", "Aesthetics: Image 1 → 8, Image 2 → 6", [(AE, 8, 6)]),
    case(
        "numbered table",
        "| # | Dimension | Image 1 | Image 2 |\n|---|---|---|---|\n| 1 | Aesthetics | 8 | 6 |\n| 2 | Mood | 7 | 5 |",
        [(AE, 8, 6), ("mood", 7, 5)],
    ),
    case(
        "names and brackets",
        "Image 1: Semantic Consistency (8/10), Aesthetics (7/10), Authenticity (9/10)\n"
        "Image 2: Semantic Consistency (6/10), Aesthetics (5/10), Authenticity (4/10)",
        THREE,
    ),
    case(
        "names and numbers",
        "Image 1: Semantic consistency 8, aesthetics 7, authenticity 9. "
        "Image 2: semantic consistency 6, aesthetics 5, authenticity 4.",
        THREE,
    ),
    case(
        "names and equals",
        "Image 1: Semantic consistency = 8, Aesthetics = 7\nImage 2: Semantic consistency = 6, Aesthetics = 5",
        TWO,
    ),
    case("greater", SCORED + "Total: 15 > 11", TWO, (15, 11)),
]


@pytest.mark.parametrize("wanted", [*BEHIND_DIMENSION, *HEADINGS, *TOTALS, *JSON, *MISREAD])
def test_scores_and_totals_are_read(wanted: Case) -> None:
    text = f"<think>\n{wanted.body}\n</think>\n<answer>{wanted.answer}</answer>"
    verdict = parse_verdict(text, wanted.kind)
    rows = [(row.name.casefold(), row.first, row.second) for row in verdict.dimensions]
    assert (rows, verdict.totals, verdict.flaws) == (wanted.dimensions, wanted.totals, wanted.flaws)


ANSWERS = [
    ("Image 1 is better because it does not have artifacts, while Image 2 may look odd", FIRST),
    ("After careful thought, I think Image 2 is slightly better.", SECOND),
    ("Image 2 is better. Image 1 is blurry and not sharp.", SECOND),
    ("Image 1 is better in terms of all aspects; Image 2 has flaws", FIRST),
    ("Image 2 has better colours, but overall Image 1 is better", FIRST),
    ("Image 1 is better in detail than Image 2", FIRST),
    ("Image 1 is the better of the two", FIRST),
    ("The better image is Image 2", SECOND),
    ("I prefer the second image", SECOND),
    ("Winner: Image 1", FIRST),
    ("Image 2 wins", SECOND),
    ("Image A is better", FIRST),
    ("B", SECOND),
    ("Image one is better", FIRST),
    ("\\boxed{\\text{Image 2 is better}}", SECOND),
    ("图2更好", SECOND),
    ("第一张图明显更好", FIRST),
    ("两张图一样好", TIE),
    ("It is a tie", TIE),
    ("Image 1 is better in aesthetics, but overall Image 2 is the better one", SECOND),
    ("Image 1 is better? No, Image 2 is clearly better", None),
    ("Image 1 is better only in color, the second image is better overall", SECOND),
    ("Image 1 is better in colour, but the other picture wins", None),
    ("Image 1 is better in detail and Image 2 in colour", None),
    ("Both images are equally good in detail, but Image 1 is better", FIRST),
    ("Both images are equally good in detail, but Image 1 has more charm", None),
    ("Image 1 is better, but not overall", None),
    ("Image 1 is probably better", None),
    ("Image 1 or Image 2 is better", None),
    ("Image 1/Image 2 is better", None),
    ("[Image 1 | Image 2] is better", None),
    ("Image 1, Image 2 is better", None),
    ("Compared to Image 1, Image 2 is better", SECOND),
    ("It's a tie", TIE),
    ("If light matters, Image 1 is better", None),
    ("It is hard to say, but Image 1 is better", None),
    ("Image 2 isn't better", None),
    ("I don't think Image 1 is better", None),
    ("Image 1 is worse than Image 2", None),
    ("Neither image is better", None),
    ("The other image is better", None),
]


@pytest.mark.parametrize(("content", "answer"), ANSWERS)
def test_an_answer_is_read_only_where_it_says_one_thing(content: str, answer: Preference | None) -> None:
    verdict = parse_verdict(f"<think>x</think><answer>{content}</answer>", MediaKind.IMAGE)
    flaws = set() if answer else {Flaw.UNREADABLE_ANSWER}
    assert (verdict.answer, verdict.flaws) == (answer, flaws)


@pytest.mark.parametrize(
    ("text", "answer", "flaw"),
    [
        ("I do not think Image 1 is better; the other picture wins.", None, Flaw.UNREADABLE_ANSWER),
        ("So I do not think that Image 1 is better.", None, Flaw.UNREADABLE_ANSWER),
        ("Image 1 is better? No.", None, Flaw.UNREADABLE_ANSWER),
        ("Image 1 is better. So \\boxed{Image 2}", None, Flaw.CONFLICTING_ANSWERS),
        ("Each gets \\boxed{8}", None, Flaw.NO_ANSWER),
        ("Image 1 has the light. Final answer: Image 2", SECOND, Flaw.UNTAGGED_ANSWER),
        ("**Final answer:** Image 2", SECOND, Flaw.UNTAGGED_ANSWER),
        ("So the better image is **Image 1**.", FIRST, Flaw.UNTAGGED_ANSWER),
        ("**Image 2**", SECOND, Flaw.UNTAGGED_ANSWER),
        ("Image 1 is better in colour. Image 2 is better in shape.", None, Flaw.CONFLICTING_ANSWERS),
        ("The answer is $\\boxed{\\text{Image 1}}$.", FIRST, Flaw.UNTAGGED_ANSWER),
        ("**Image 2 is better.** Would you like to know more?", SECOND, Flaw.UNTAGGED_ANSWER),
        ("Image 1 is not better at light. Overall, Image 1 is better.", FIRST, Flaw.UNTAGGED_ANSWER),
        ("所以图2更好。", SECOND, Flaw.UNTAGGED_ANSWER),
    ],
)
def test_an_untagged_answer_is_held_to_the_same(text: str, answer: Preference | None, flaw: Flaw) -> None:
    verdict = parse_verdict(f"<think>x</think>\n{text}", MediaKind.IMAGE)
    assert verdict.answer is answer
    assert flaw in verdict.flaws


def test_points_before_names_are_those_of_the_names_behind_them() -> None:
    text = "Aesthetics: 7 points for Image 1, 9 points for Image 2\nTotal: 7 for Image 1, 9 for Image 2"
    verdict = parse_verdict(f"<think>{text}</think>", MediaKind.IMAGE)
    assert [(row.first, row.second) for row in verdict.dimensions] == [(7, 9)]
    assert verdict.totals == (7, 9)


LABELLED = [
    param.values[0].body
    for param in (*BEHIND_DIMENSION, *HEADINGS, *TOTALS, *JSON)
    if param.id not in {"8/10 and 6/10", "unlabelled below a side", "images 1 and 2", "pairs", "prose about it all"}
]
_NAMES = re.compile(
    r"(?<=Image )[12AB]|(?<=image_)[12]|(?<=Video )[12]|(?<=图)[12]|(?<=第)[一二](?=张)"
    r"|(?<=[Tt]he )(?:first|second|1st|2nd)(?= (?:image|one|picture))"
)
_SWAPPED = dict(
    pair
    for one, two in [("1", "2"), ("A", "B"), ("一", "二"), ("first", "second"), ("1st", "2nd")]
    for pair in ((one, two), (two, one))
)


def exchanged(text: str) -> str:
    return _NAMES.sub(lambda name: _SWAPPED[name[0]], text)


@pytest.mark.parametrize("body", LABELLED)
def test_exchanging_the_names_exchanges_the_scores(body: str) -> None:
    there = parse_verdict(f"<think>{body}</think>", MediaKind.IMAGE)
    back = parse_verdict(f"<think>{exchanged(body)}</think>", MediaKind.IMAGE)
    assert {(row.name, row.second, row.first) for row in back.dimensions} == {
        (row.name, row.first, row.second) for row in there.dimensions
    }
    assert back.totals == there.totals[::-1]


@pytest.mark.parametrize("content", [content for content, _ in ANSWERS if content != "B"])
def test_exchanging_the_names_exchanges_the_answer(content: str) -> None:
    other = {FIRST: SECOND, SECOND: FIRST, TIE: TIE, None: None}
    there, back = (
        parse_verdict(f"<answer>{words}</answer>", MediaKind.IMAGE).answer
        for words in (content, re.sub("one(?= is)", "two", exchanged(content)))
    )
    assert back is other[there]


@pytest.mark.parametrize("sentence", ["The light is soft.", "I looked at every corner twice", "Well, well."])
def test_a_sentence_without_numbers_and_names_changes_nothing(sentence: str) -> None:
    for param in (*BEHIND_DIMENSION, *HEADINGS, *TOTALS):
        body = param.values[0].body
        whole = parse_verdict(f"<think>{body}</think>", MediaKind.IMAGE)
        for more in (f"{sentence}\n{body}", f"{body}\n\n{sentence}\n"):
            longer = parse_verdict(f"<think>{more}</think>", MediaKind.IMAGE)
            assert (longer.dimensions, longer.totals, longer.flaws) == (whole.dimensions, whole.totals, whole.flaws)


def test_a_sentence_without_a_claim_leaves_the_answer_as_it_is() -> None:
    for content, answer in ANSWERS:
        # A name alone is an answer only where nothing else is said.
        if len(content) > 12 and "boxed" not in content and "Winner" not in content:
            after = f"<answer>{content}. It rains in the park.</answer>"
            assert parse_verdict(after, MediaKind.IMAGE).answer is answer


WORDS = [
    "Image 1",
    "image 2",
    "is better",
    "8/10",
    "(7)",
    ": 6",
    "and",
    "vs",
    "both images",
    "the other",
    "Aesthetics",
    "Total",
    "average",
    ";",
    ", ",
    "than",
    "\n",
    "for",
    "respectively",
    "6-7",
    "=",
    "+ 3",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
def test_exchanging_the_names_in_any_words_exchanges_what_is_read(body: str) -> None:
    swap = {"1": "2", "2": "1"}
    mirrored = re.sub(r"(?<=mage )[12]", lambda name: swap[name[0]], body)
    there = parse_verdict(f"<think>{body}</think>", MediaKind.IMAGE)
    back = parse_verdict(f"<think>{mirrored}</think>", MediaKind.IMAGE)
    rows = {row.name.casefold(): (row.first, row.second) for row in there.dimensions}
    for row in back.dimensions:
        # Where no name stands, the order of the shown pair counts, and is not exchanged.
        assert (row.second, row.first) == rows[row.name.casefold()] or (
            (row.first, row.second) == rows[row.name.casefold()]
        )


@pytest.mark.parametrize(
    "unit",
    [
        "Image 1 and ",
        "8/10 for aesthetics ",
        "Aesthetics: 8/10, ",
        "Detail: 8/10,",
        '{"a":',
        '\n{"a":{',
        "8 to ",
        "\\boxed{",
        "\\text{",
        "图1",
        "the other image ",
        "Image 1 than ",
        "I prefer ",
        "total ",
    ],
)
@pytest.mark.timeout(60)
def test_more_hostile_texts_are_read_to_their_end(unit: str) -> None:
    text = "<think>A: " + unit * (40_000 // len(unit)) + "</think>" + unit * (10_000 // len(unit))
    verdict = parse_verdict(text, MediaKind.IMAGE)
    assert verdict == parse_verdict(text, MediaKind.IMAGE)
