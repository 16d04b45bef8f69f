"""Sides and numbers in one line of a judge's reasoning, each at its place."""

from __future__ import annotations

import re
from typing import NamedTuple

from backend.domain.sides import BOTH, OTHER, SIDE, side_of
from backend.domain.words import NUMBER, OUT_OF, PLAIN_SCORE, SHORT_SCORE

_TEN = rf"{OUT_OF}\s{{0,2}}10(?:\.0)?(?![0-9]|\.[0-9])"
# "得8" and "为8" are a word and a number: only Latin letters and digits join with a number.
_START = r"(?<![A-Za-z0-9_.,/])"
_MARK = re.compile(
    # Where a mark can start; trying all of its forms at every letter would take most of the time.
    rf"""
    (?:(?<![A-Za-z0-9_])(?=[bcefiprstv12])|(?=[0-9(\[-])|(?=[图视第前后另两得评分])) (?:
      (?P<both>{BOTH})
    | (?P<label>{SIDE})
    | (?P<other>{OTHER})
    | {_START}(?P<range>{NUMBER}(?:\s?{_TEN})?(?:\s?(?:[~–—-]|to|or)\s?{NUMBER}\s{{0,2}}{_TEN}
                        |(?:[~–—-]|\s(?:to|or)\s){NUMBER}(?![0-9/])))
    | {_START}(?P<strong>(?:(?:(?<=[(:\[])|(?<=[(:]\s))-)?{NUMBER})\s{{0,2}}(?:{_TEN}|分(?!钟))
    | [(\[]\s{{0,2}}(?:score\s{{0,2}}[:=]?\s{{0,2}})?
      (?P<paren>{SHORT_SCORE})\s{{0,2}}(?:points?|pts)?[)\]]
    | (?:\b(?:score|rating)\s{{0,2}}(?:of|is|:|=)|(?:得分|评分|分数)(?:为|是|:)?)
      \s{{0,2}}(?P<worded>{PLAIN_SCORE})(?![A-Za-z0-9_/+%~–-]|\.[0-9]|\s?/)
    | (?<!\+)(?<!\+\s)(?<![:=(]-)(?<![:=(]\s-){_START}(?P<bare>{PLAIN_SCORE})
      (?=\s{{0,3}}(?:$|,(?![0-9])|[;)\]|]|\.(?:\s|$)|[-–—]\s|\(
        |(?:and|vs|versus|points?|pts|while|whereas|but|because|since|as|due|for|to|image|video
           |respectively)\b))
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_NAMES = ("both", "label", "other")


class Mark(NamedTuple):
    """A name or a number at its place in a line.

    Attributes:
        form: ``label`` (of one side), ``both`` (of both), or how a number is written: ``strong``
            (``8/10``), ``paren``, ``worded`` ("score of 8") or ``bare``.
        side: 0 or 1 for a label; ``None`` for "the latter", and for all else.
        value: Of a number; ``None`` for a range such as ``7-8``, which is no one score.
    """

    start: int
    end: int
    form: str
    side: int | None = None
    value: float | None = None

    @property
    def is_label(self) -> bool:
        return self.form == "label"

    @property
    def is_number(self) -> bool:
        return self.form not in ("label", "both")


def first_name(line: str) -> int | None:
    """Where the first name of a side, or of both, starts in ``line``."""
    names = (match for match in _MARK.finditer(line) if match.lastgroup in _NAMES)
    match = next(names, None)
    return match.start() if match else None


def marks_of(line: str) -> list[Mark]:
    """Every name of a side and every possible score of ``line``, in its order.

    "The other image" is the one that was not named last.
    """
    marks: list[Mark] = []
    named: int | None = None
    for match in _MARK.finditer(line):
        form = str(match.lastgroup)
        start, end = match.span()
        if form == "label":
            named = side_of(match[0])
            marks.append(Mark(start, end, form, named))
        elif form == "other":
            is_other = "other" in match[0].casefold() or match[0].startswith("另")
            named = 1 - named if is_other and named is not None else None
            marks.append(Mark(start, end, "label", named))
        elif form == "both":
            marks.append(Mark(start, end, form))
        elif form == "range":
            marks.append(Mark(start, end, "strong" if match[0].endswith("10") else "bare"))
        else:
            marks.append(Mark(start, end, form, None, float(match[form])))
    return marks
