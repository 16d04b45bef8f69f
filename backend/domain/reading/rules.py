"""The table of rules that read statements, each with its example.

A rule is a pattern over the letters of :mod:`~backend.domain.reading.statement_words`. What is
compared with has become ``C`` before any rule sees it ("than Image 2", "compared to the first one"),
so that no rule can take the object of a comparison for its subject.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Says(Enum):
    """What a statement says of its side."""

    FOR = "for"
    """It is the better one."""
    AGAINST = "against"
    """It is not; which is no word for the other one."""
    IN_PART = "in part"
    """It is better in some respect."""
    DETAIL = "detail"
    """Something in it is better: its light, its colours."""
    TIE = "tie"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Rule:
    """One form of statement.

    Attributes:
        pattern: Over letters; the side is the group ``side``, which a tie has not.
        example: A sentence that this rule reads.
    """

    name: str
    says: Says
    pattern: re.Pattern[str]
    example: str


# A subject: "Image 1", "Image 1's overall quality", with what it is compared to, or "with fewer flaws".
_WITH = r"(?:,?e[axhzqfsBVjC]{0,8}(?:,(?=[ih]))?)?"
_SUBJECT = rf"(?P<side>S)(?:s[hA]{{0,2}}z|[hA]{{0,2}}z)?(?:,?C,?)?{_WITH}"
_HOW = r"[hanA]{0,6}"
_PICKED = r"(?=$|[.?,CkrtqAfelj#h])"


def _rule(name: str, says: Says, pattern: str, example: str) -> Rule:
    return Rule(name, says, re.compile(pattern), example)


RULES = (
    _rule("beats", Says.FOR, r"(?P<side>S)(?:z)?,?[hndi]{0,4}>a?[SO2]", "Image 1 outperforms Image 2"),
    _rule("is beaten", Says.AGAINST, r"(?P<side>S)[hi]{0,4}(?:w|<)a?l?a?[SOC2]?", "Image 1 loses to Image 2"),
    _rule("is as good", Says.TIE, r"Si?[hn]{0,3}Ea?[SO]", "Image 1 is as good as Image 2"),
    _rule("are equal", Says.TIE, r"(?:(?:2|SjS|S=S)[ih2]{0,4}|[ia]{0,3})n?h?T(?:y|z)?", "Both images are equally good"),
    _rule("is worse", Says.AGAINST, rf"{_SUBJECT}[is]{_HOW}W", "Image 1 is the worse one"),
    _rule("is better", Says.FOR, rf"{_SUBJECT}(?:[is]{_HOW}d?{_HOW}[BV]|{_HOW}b)", "Image 1 is clearly better"),
    _rule("is the choice", Says.FOR, rf"(?P<side>S)[is]{_HOW}L(?!:)", "Image 1 is my choice"),
    _rule("is preferred by me", Says.FOR, rf"p[ah]{{0,2}}(?P<side>S)(?:z|y)?{_PICKED}", "I prefer Image 2 to Image 1"),
    _rule("preference goes to", Says.FOR, r"[LV]h?g[a]?(?P<side>S)", "My preference goes to Image 2"),
    _rule(
        "better one is",
        Says.FOR,
        rf"[BV]y(?:i|:|i:)[ah]{{0,2}}(?P<side>S)(?:z|y)?{_PICKED}",
        "The better image is Image 2",
    ),
    _rule(
        "labelled",
        Says.FOR,
        rf"(?:^|(?<=[.,kt:haA]))(?:[ahA]{{0,3}}(?:L[yL]?|V)(?:i|:|i:)|B:)[ah]{{0,2}}(?P<side>S){_PICKED}",
        "Final answer: Image 1",
    ),
)
"""In this order: where two match at one place, the first reads it."""
