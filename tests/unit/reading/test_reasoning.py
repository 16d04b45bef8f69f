"""Sentences told apart by side, flaws found in the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.pairs import MediaKind
from backend.domain.reading import Flaw, parse_verdict
from backend.domain.reading.pieces import About, Piece, read_pieces

TEXT = """<think>
Semantic consistency:
Image 1 shows a fox. It is red. (9/10)
Image 2 shows a dog, while Image 1 has the rain; Image 2 is dry.
**Image 2:**
Colours are dull. The rest is e.g. blurred.

Both are paintings.
Total: Image 1: 25, Image 2: 20
</think>
<answer>Image 1 is better</answer>"""


def about(pieces: list[Piece], words: str) -> About:
    return next(piece.about for piece in pieces if words in piece.text)


def test_sentences_are_about_the_side_they_name() -> None:
    pieces = read_pieces(TEXT, MediaKind.IMAGE, frozenset())
    expected = {
        "shows a fox": About.FIRST,
        "It is red": About.FIRST,
        "shows a dog": About.SECOND,
        "has the rain": About.FIRST,
        "is dry": About.SECOND,
        "Colours are dull": About.SECOND,
        "e.g. blurred": About.SECOND,
        "Both are paintings": About.NEITHER,
        "Semantic consistency": About.NEITHER,
    }
    assert {words: about(pieces, words) for words in expected} == expected


def test_a_heading_speaks_for_its_paragraph_only() -> None:
    pieces = read_pieces("Video 1:\nSmooth.\n\nJust words.", MediaKind.VIDEO, frozenset())
    assert about(pieces, "Smooth") is About.FIRST
    assert about(pieces, "Just words") is About.NEITHER


@pytest.mark.parametrize(
    ("text", "flaw", "marked"),
    [
        ("<think>a</think><answer>the other one</answer>", Flaw.UNREADABLE_ANSWER, "the other one"),
        ("<think>never closed <answer>Image 1 is better</answer>", Flaw.UNCLOSED_REASONING, "<think>"),
        ("<think>x</think><answer>Video 1 is better</answer>", Flaw.WRONG_MEDIUM, "Video 1"),
        ("<think>Aesthetics: Image 1: 12/10, Image 2: 3/10</think>", Flaw.SCORE_OUT_OF_RANGE, "12/10"),
        (
            "<think>Semantic: Image 1: 9/10, Image 2: 7/10\nTotal: Image 1: 25, Image 2: 7\n</think>",
            Flaw.TOTAL_MISMATCH,
            "Total: Image 1: 25",
        ),
        (
            "<answer>Image 1 is better</answer><answer>Image 2 is better</answer>",
            Flaw.CONFLICTING_ANSWERS,
            "Image 2 is better",
        ),
    ],
)
def test_a_flaw_is_marked_where_it_stands(text: str, flaw: Flaw, marked: str) -> None:
    flaws = parse_verdict(text, MediaKind.IMAGE).flaws
    assert flaw in flaws
    pieces = read_pieces(text, MediaKind.IMAGE, flaws)
    assert marked in "".join(piece.text for piece in pieces if flaw in piece.flaws)


def test_what_is_missing_is_marked_where_it_should_be() -> None:
    pieces = read_pieces("no verdict here", MediaKind.IMAGE, frozenset({Flaw.NO_ANSWER}))
    assert pieces[-1] == Piece("", About.NEITHER, (Flaw.NO_ANSWER,))


@given(
    st.lists(
        st.sampled_from(
            [
                "Image 1 ",
                "Video 2",
                ". ",
                "\n",
                "\n\n",
                "<think>",
                "</think>",
                "<answer>",
                "It ",
                "</answer>",
                "11/10 ",
                "Total: 3",
                "\x00",
                "\u202e",
                "; ",
                ", while ",
                "é",
                "**",
            ]
        ),
        max_size=40,
    ),
    st.sets(st.sampled_from(list(Flaw))),
)
def test_the_pieces_joined_are_the_text(parts: list[str], flaws: set[Flaw]) -> None:
    text = "".join(parts)
    pieces = read_pieces(text, MediaKind.IMAGE, frozenset(flaws))
    assert "".join(piece.text for piece in pieces) == text
    assert {flaw for piece in pieces for flaw in piece.flaws} == flaws
