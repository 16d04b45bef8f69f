"""Scores and totals, in every form in which models write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.pairs import MediaKind, Preference
from backend.domain.prompts import DIMENSIONS, answer_text, noun
from backend.domain.reading import DimensionScore, Flaw, Verdict, parse_verdict


def judged(body: str, answer: str = "Image 1 is better", kind: MediaKind = MediaKind.IMAGE) -> Verdict:
    return parse_verdict(f"<think>\n{body}\n</think>\n<answer>{answer}</answer>", kind)


def scores(body: str) -> list[tuple[str, float | None, float | None]]:
    return [(row.name.casefold(), row.first, row.second) for row in judged(body).dimensions]


@pytest.mark.parametrize(
    "body",
    [
        "Aesthetics: Image 1 shows a red circle (9/10); Image 2 is off (3/10)",
        "Aesthetics: Image 2 (3/10) - off; Image 1 (9/10)",
        "AESTHETICS: IMAGE 1 GOOD (9/10); IMAGE 2 BAD (3/10)",
        "Aesthetics: Image 1 is fine (9); Image 2 is not (3)",
        "Aesthetics: Image 1 is fine (score: 9); Image 2 is not (Score: 3/10)",
        "Aesthetics: Image 1: 9, Image 2: 3",
        "Aesthetics: Image 1: 9 Image 2: 3",
        "Aesthetics: Image 1 = 9; Image 2 = 3",
        "Aesthetics: Image 1: 9/10 | Image 2: 3/10",
        "Aesthetics - Image 1: 9/10, Image 2: 3/10",
        "Aesthetics (Image 1: 9/10, Image 2: 3/10)",
        "Aesthetics: 9/10 for Image 1 and 3/10 for Image 2",
        "Aesthetics: 9 for Image 1 and 3 for Image 2",
        "Aesthetics: 9 points for Image 1, 3 points for Image 2, with its 2 dogs",
        "Aesthetics: I give 9 to Image 1 and 3 to Image 2",
        "Aesthetics: 3/10 (Image 2) - duller than Image 1; 9/10 (Image 1)",
        "Aesthetics: 9/10 vs 3/10",
        "Aesthetics: Image 1 gets 9 out of 10 while Image 2 gets 3 out of 10",
        "In terms of aesthetics, Image 1 gets 9/10 while Image 2 gets 3/10.",
        "- **Aesthetics**:\n  - Image 1: 9/10 lovely light\n  - Image 2: 3",
        "2. **Aesthetics:**\n   * **Image 2**: dull (3/10)\n   * **Image 1**: lovely (9/10)",
        "### Aesthetics\nImage 1: 9/10\nImage 2: 3/10",
        "Aesthetics\nImage 1's score: 9\nImage 2's score: 3",
        "Aesthetics:\nImage 1 is a lovely\npicture with 3 cats (9/10)\nImage 2 is dull (3/10)",
        "Aesthetics:\nImage 1: two dogs. Score: 9\nImage 2: 2 dogs. Score: 3",
        "Aesthetics：Image 1（9／10）；Image 2（3／10）",
        "| Dimension | Image 1 | Image 2 |\n|---|:-:|--:|\n| **Aesthetics** | 9 | 3/10 |",
        "| Dimension | Image 2 | Image 1 |\n|---|---|---|\n| Aesthetics | 3 - dull | lovely (9) |",
        "| | Aesthetics |\n|---|---|\n| Image 1 | 9 |\n| Image 2 | 3 |",
        "**Image 1**\n- Aesthetics: 9/10\n\n**Image 2**\n- Aesthetics: 3/10 - duller than Image 1",
        "Image 1:\nAesthetics: 9\nImage 2:\nAesthetics: 3",
        "Aesthetics: Image 1 is sharper than Image 2 (9/10); Image 2 is blurry (3/10)",
        "Aesthetics: Image 1 (9/10), sharper than Image 2; Image 2 (3/10), unlike Image 1",
        "Aesthetics: Image 1 (9/10) fits, as Image 1 has light; Image 2 (3/10)",
        "Aesthetics: Image 1 has 2 dogs from the 1980s in 16:9 (9/10); Image 2: 4 cats (3/10)",
        "Aesthetics: Image 1: 9/10; Image 2: 3",
    ],
)
def test_scores_are_read_in_every_form(body: str) -> None:
    assert scores(body) == [("aesthetics", 9, 3)]


def test_half_points_are_read() -> None:
    assert scores("Aesthetics: Image 1 (8.5/10); Image 2: 7.5") == [("aesthetics", 8.5, 7.5)]


@pytest.mark.parametrize(
    "body",
    [
        "Aesthetics: Image 1 shows 2 dogs; Image 2 shows 3 dogs from 1980",
        "Aesthetics:\nImage 1: 2 dogs on 4 chairs\nImage 2: 3 dogs, in the year (1980)",
        "Image 1 has 10 fingers, Image 2 has 11",
        "Aesthetics: Image 1: 4/5; Image 2: 3/5",
    ],
)
def test_other_numbers_in_a_rationale_are_not_scores(body: str) -> None:
    assert scores(body) == []


def test_a_dimension_with_one_score_keeps_the_other_unknown() -> None:
    verdict = judged("Aesthetics: Image 2 is dull (3/10)")
    assert verdict.dimensions == (DimensionScore("Aesthetics", None, 3),)
    assert verdict.margin is None


@pytest.mark.parametrize(
    "lines",
    [
        "Total score:\nImage 1: 9+8+8=25\nImage 2: 20",
        "Total score:\nImage 1: 9 + 8 + 8\nImage 2: 8 + 6 + 6 = 20/30",
        "**Total**: Image 1: 25, Image 2: 20",
        "Total: Image 2: 20/30; Image 1: 25/30",
        "Image 1 total: 25/30\nImage 2 total: 20/30",
        "Image 1's total score is 25.\nImage 2's total score is 20.",
        "Total score for Image 1: 25\nTotal score for Image 2: 20",
        "Total: 25 for Image 1, 20 for Image 2",
        "Total: 25 vs 20",
        "Total score: Image 1 (25), Image 2 (20)",
        "| Dimension | Image 1 | Image 2 |\n|---|---|---|\n| **Total** | **25** | 20/30 |",
    ],
)
def test_totals_are_read_in_every_form(lines: str) -> None:
    assert judged(lines).totals == (25, 20)


def test_totals_of_two_separate_sides_are_read_where_they_stand() -> None:
    verdict = judged(
        "Image 1:\n- Aesthetics: 9/10\n- Authenticity: 8/10\n- Total: 17\n"
        "Image 2:\n- Aesthetics: 3/10\n- Authenticity: 2/10\n- Total: 5/20"
    )
    assert verdict.totals == (17, 5)
    assert [(row.first, row.second) for row in verdict.dimensions] == [(9, 3), (8, 2)]


def test_an_overall_rating_out_of_ten_is_not_a_wrong_sum() -> None:
    verdict = judged(
        "Aesthetics: Image 1: 9, Image 2: 3\nAuthenticity: Image 1: 8, Image 2: 3\n"
        "Overall: Image 1: 8/10, Image 2: 3/10"
    )
    assert verdict.totals == (None, None)
    assert not verdict.flaws


def test_a_total_that_is_not_the_sum_is_a_flaw_only_where_all_scores_are_known() -> None:
    body = "Aesthetics: Image 1: 9, Image 2: 3\nTotal: Image 1: {}, Image 2: 3"
    assert Flaw.TOTAL_MISMATCH in judged(body.format(8)).flaws
    assert Flaw.TOTAL_MISMATCH not in judged(body.format(9)).flaws
    known = "Authenticity: Image 2: 4\nAesthetics: Image 1: 9, Image 2: 3\nTotal: Image 1: 15"
    assert Flaw.TOTAL_MISMATCH not in judged(known).flaws


def test_an_answer_for_the_side_with_the_lower_total_contradicts() -> None:
    body = "Aesthetics: Image 1: 9, Image 2: 3\nTotal: Image 1: 9, Image 2: 3"
    assert Flaw.CONTRADICTS_TOTALS in judged(body, "Image 2 is better").flaws
    assert Flaw.CONTRADICTS_TOTALS not in judged(body, "Image 1 is better").flaws
    stated = "Total: Image 1: 20, Image 2: 25"
    assert Flaw.CONTRADICTS_TOTALS in judged(stated, "Image 1 is better").flaws


@pytest.mark.parametrize(("score", "flawed"), [("0", True), ("1", False), ("10", False), ("11", True), ("-3", True)])
def test_scores_outside_one_to_ten_are_a_flaw(score: str, flawed: bool) -> None:
    verdict = judged(f"Aesthetics: Image 1 ({score}/10); Image 2 (5/10)")
    assert verdict.dimensions == (DimensionScore("Aesthetics", float(score), 5),)
    assert (Flaw.SCORE_OUT_OF_RANGE in verdict.flaws) is flawed


def test_the_margin_is_that_of_the_answered_side() -> None:
    body = "Aesthetics: Image 1: 9, Image 2: 3\nAuthenticity: Image 1: 2, Image 2: 3"
    assert judged(body, "Image 1 is better").margin == 5
    assert judged(body, "Image 2 is better").margin == -5
    assert judged(body, "Both images are equally good").margin == 5
    assert judged(body, "perhaps").margin is None
    assert judged("Total: Image 1: 25, Image 2: 20").margin == 5


def test_scores_are_stored_as_lists_with_both_sides() -> None:
    verdict = judged("Aesthetics: Image 1: 9, Image 2: 3\nTotal: Image 1: 9")
    assert verdict.to_scores_json() == {"dimensions": [["Aesthetics", 9, 3]], "totals": [9, None]}


SCORE = st.integers(2, 20).map(lambda half: half / 2)
RATIONALE = st.sampled_from(
    ["shows 2 dogs", "is from the 1980s, in 16:9", "has 3 of 4 cats - nice", "is fine", "matches"]
)


def write(style: str, medium: str, rows: list[tuple[str, float, float]], rationale: str, reverse: bool) -> str:
    """The same scores in one of the forms."""
    lines = []
    if style == "table":
        head = [f"{medium} 1", f"{medium} 2"]
        lines = [f"| Dimension | {' | '.join(head[::-1] if reverse else head)} |", "|---|---|---|"]
    for name, first, second in rows:
        sides = [(1, first), (2, second)]
        sides = sides[::-1] if reverse else sides
        if style == "instruction":
            parts = [f"{medium} {side} {rationale} ({score:g}/10)" for side, score in sides]
            lines.append(f"{name}: {'; '.join(parts)}")
        elif style == "score first":
            parts = [f"{medium} {side} ({score:g}/10) - {rationale}" for side, score in sides]
            lines.append(f"**{name}**: {'; '.join(parts)}")
        elif style == "colon":
            parts = [f"{medium} {side}: {score:g}" for side, score in sides]
            lines.append(f"1. {name.upper()}: {', '.join(parts)}")
        elif style == "lines":
            lines.append(f"- **{name}**:")
            lines += [f"  - {medium} {side}: {score:g}/10, {rationale}" for side, score in sides]
        elif style == "brackets":
            parts = [f"{medium.lower()} {side} {rationale} ({score:g})" for side, score in sides]
            lines.append(f"{name}: {', '.join(parts)}")
        else:
            cells = [f"{score:g}/10 - {rationale}" for _, score in sides]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


@given(
    kind=st.sampled_from(MediaKind),
    style=st.sampled_from(["instruction", "score first", "colon", "lines", "brackets", "table"]),
    values=st.lists(st.tuples(SCORE, SCORE), min_size=3, max_size=3),
    rationale=RATIONALE,
    reverse=st.booleans(),
    answer=st.sampled_from(Preference),
    totals=st.sampled_from(["sum", "one line", "none"]),
)
def test_every_written_form_gives_back_its_scores_and_its_answer(
    kind: MediaKind,
    style: str,
    values: list[tuple[float, float]],
    rationale: str,
    reverse: bool,
    answer: Preference,
    totals: str,
) -> None:
    medium = noun(kind)
    rows = [(name.capitalize(), *pair) for name, pair in zip(DIMENSIONS[kind], values, strict=True)]
    body = write(style, medium, rows, rationale, reverse)
    sums = tuple(sum(pair[side] for pair in values) for side in (0, 1))
    if totals == "sum":
        chains = ["+".join(f"{pair[side]:g}" for pair in values) for side in (0, 1)]
        body += "\nTotal score:"
        body += "".join(f"\n{medium} {i + 1}: {chains[i]}={sums[i]:g}" for i in (0, 1))
    elif totals == "one line":
        body += f"\n**Total:** {medium} 1: {sums[0]:g}/30, {medium} 2: {sums[1]:g}/30"
    verdict = judged(body, answer_text(kind, answer), kind)

    assert [(row.name.casefold(), row.first, row.second) for row in verdict.dimensions] == [
        (name.casefold(), first, second) for name, first, second in rows
    ]
    assert verdict.answer is answer
    assert verdict.totals == ((None, None) if totals == "none" else sums)
    contradicts = answer is not Preference.TIE and verdict.margin is not None and verdict.margin < 0
    assert verdict.flaws == ({Flaw.CONTRADICTS_TOTALS} if contradicts else set())
