"""What a line is headed by: a dimension, a total, a side, or what is none of a judge's scores."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from backend.domain.prompts import DIMENSIONS
from backend.domain.reading.names import SIDE, side_of
from backend.domain.reading.totals import TOTAL
from backend.domain.reading.words import POSSESSIVE, RATING, SCALE_BEHIND, SHORT_SCORE

LONGEST_NAME = 80

_KNOWN = (
    *dict.fromkeys(name for names in DIMENSIONS.values() for name in names),
    "语义一致性",
    "美学质量",
    "美学",
    "真实性",
    "时间连贯性",
    "时序一致性",
)
KNOWN_NAMES = tuple(name.lower() for name in _KNOWN)
KNOWN_NAME = "(?:" + "|".join(re.escape(name).replace(r"\ ", r"[\s_]") for name in _KNOWN) + ")"
"""The dimensions that Winnow's own instruction asks for; for patterns that ignore case."""

_ENUMERATED = r"(?:[0-9]{1,2}|[IVXivx]{1,4}|[A-Za-z]|[一二三四五六七八九十])"
BULLET = re.compile(
    r"(?:[-+•·>]{1,3}\s{1,8}|[✓✔☑★☆→▪◦●○■□▶]\s{0,4}|#{1,6}\s{1,4}|#[0-9]{1,2}\s{1,4}|\[[ xX]\]\s{1,4}"
    rf"|[(\[]{_ENUMERATED}[)\]]\s{{0,4}}|{_ENUMERATED}[.)]\s{{1,4}}|[0-9]{{1,2}}[.)](?=[^\W\d_])"
    # "A: Mood: Image 1 …" has a heading behind its letter, "A: Image 1 …" is one.
    rf"|{_ENUMERATED}:\s(?=[^\W\d_][^:|]{{1,60}}:)(?!image|video|picture|clip|photo|图|视)"
    r"|[(]?[0-9一二三四五六七八九十]{1,2}、\s{0,4}|[①-⑳❶-❿]\s{0,4}|[0-9]\ufe0f?\u20e3\s{0,4}"
    r"|(?:dimension|criterion|step|aspect|category|factor)\s(?:[0-9]{1,2}|[A-Za-z])\s?[:.–-]\s{1,4}){1,4}",
    re.IGNORECASE,
)
SCALE = re.compile(
    r"\s?[(\[]\s?(?:scores?\s?:?\s?)?(?:[01]\s?(?:[-–~]|to)\s?10(?:\s(?:points?|scale))?|x?\s?/\s?10|out\sof\s10"
    r"|max(?:imum)?\.?:?\s10|score\s?/\s?10)\s?[)\]]",
    re.IGNORECASE,
)
"""A scale that stands where a score could: "(1-10)", "(x/10)"."""

# "[Detail]: …", "[Detail] Image 1 …": the brackets are no part of the name.
BRACKETED = re.compile(rf"\[([^\[\]\n]{{1,60}})\]\s?(?:[:：]|[-–—](?=\s)|(?={SIDE}))\s?", re.IGNORECASE)
# A name may begin with digits that a letter follows ("3D geometry") and hold a ratio ("16:9 framing").
_HEAD = re.compile(
    r"((?:[0-9]{1,4}(?:[A-Za-z°]|-[A-Za-z]|:[0-9]{1,2}\s[^\W\d_]))?(?:(?<=\w)|(?=[^\W\d_]))[^:|]{0,79}?)\s{0,3}(?::|\||\s[-–—]\s)"
)
_NUMBER_IN_NAME = re.compile(r"(?<!\w)(?:[0-9]{1,4}[A-Za-z]{1,3}|[0-9]{1,2}:[0-9]{1,2})(?!\w)")
_OWN_SCORE = re.compile(rf"\s?([(\[]\s?{SHORT_SCORE}\s?(?:/\s?10\s?)?[)\]])$")
_TOTAL = re.compile(TOTAL, re.IGNORECASE)
_KNOWN_NAME = re.compile(KNOWN_NAME, re.IGNORECASE)
_OVERALL = re.compile(
    r"(?:the\s)?(?:overall|final)(?:\s(?:scores?|ratings?|assessment|evaluation|comparison))?", re.IGNORECASE
)
_AVERAGE = re.compile(r"\b(?:average|avg|mean)\b|平均", re.IGNORECASE)
_OTHER = re.compile(
    r"(?:the\s)?(?:final\s|overall\s)?(?:conclusion|summary|verdict|winner|answer|decision|difference"
    r"|margin|confidence|note|caption|prompt|result|结论|总结)s?",
    re.IGNORECASE,
)
_GENERIC = re.compile(
    r"(?:scores?|scoring|ratings?|rationale|analysis|explanation|reason(?:ing)?|comparison|evaluation"
    r"|assessment|justification|评分|得分|分数|理由|分析)",
    re.IGNORECASE,
)
_SUFFIX = re.compile(rf"(?<=\w)\s{RATING}$", re.IGNORECASE)

_ABOUT = r"(?:analysis|evaluation|evaluating|analyzing|assessment|assessing|review|breakdown|scoring)"
_SCORED = r"(?:(?:scores?|ratings?|得分|评分)(?:\s(?:of|for))?)"
_SIDE_CELL = re.compile(
    rf"\W{{0,4}}(?:{_SCORED}\W{{1,3}}(?:the\s)?)?(?P<side>{SIDE})(?:{POSSESSIVE})?(?:\s?{_SCORED})?"
    rf"{SCALE_BEHIND}\W{{0,4}}",
    re.IGNORECASE,
)
_SIDE_HEADING = re.compile(
    rf"\W{{0,4}}(?:(?:for|now|next|first|let['’]?s|look|at|the|of|{_ABOUT}|{_SCORED})\W{{1,3}}){{0,6}}"
    rf"(?P<side>{SIDE})(?:{POSSESSIVE})?(?:\W{{0,3}}(?:{_ABOUT}|{_SCORED})){{0,2}}"
    rf"{SCALE_BEHIND}\W{{0,4}}",
    re.IGNORECASE,
)


class HeadingKind(Enum):
    """What the scores below or behind a heading are."""

    DIMENSION = "dimension"
    TOTAL = "total"
    OVERALL = "overall"
    """One more rating, or the total: what is out of ten is not a sum of several scores."""
    GENERIC = "generic"
    """Scores of what the lines above are about: "Score", "Analysis"."""
    NOTHING = "nothing"
    """Neither scores nor sums of them: "Average", "Confidence", "Conclusion"."""


class Head(NamedTuple):
    """The heading of a line; ``own`` is a score that stands in front of its colon."""

    name: str
    end: int
    own: str | None


def head_of(line: str) -> Head | None:
    """The heading that ``line`` starts with, of "Aesthetics: Image 1 …"."""
    head = _HEAD.match(line)
    if head is None:
        return None
    if own := _OWN_SCORE.search(head[1]):
        # "Aesthetics (8/10): …" has its score in front of the colon; "(10)" may be the scale.
        score = own[1] + " " if own[1].strip("([ )]") != "10" else None
        return Head(head[1][: own.start()], head.end(), score)
    return Head(head[1], head.end(), None)


# Judges use the same few headings over and over; a run has thousands of texts.
_cached = lru_cache(maxsize=256)


@_cached
def name_of(heading: str) -> str:
    """A dimension's name as it is kept: without scale, numbering and the word "score"."""
    name = " ".join(SCALE.sub("", heading).replace("_", " ").split()).strip(" .,-–—#")
    return (_SUFFIX.sub("", name) if not _GENERIC.fullmatch(name) else name)[:LONGEST_NAME]


@_cached
def about(heading: str) -> HeadingKind:
    """What a heading announces."""
    name = " ".join(SCALE.sub("", heading).split()).strip(" .,-–—#")
    if _AVERAGE.search(name) or _OTHER.fullmatch(name):
        return HeadingKind.NOTHING
    if _TOTAL.search(name):
        return HeadingKind.TOTAL
    if _OVERALL.fullmatch(name):
        return HeadingKind.OVERALL
    return HeadingKind.GENERIC if _GENERIC.fullmatch(name) else HeadingKind.DIMENSION


def is_heading(line: str, *, decorated: bool) -> bool:
    """A short line without a number: "### Aesthetics", "**Total**", or a name that is known."""
    words = _NUMBER_IN_NAME.sub("", line)
    if len(line) > LONGEST_NAME or any(map(str.isdigit, words)) or line[-1] in ".!?;,":
        return False
    if decorated:
        return len(line.split()) <= 4
    return _KNOWN_NAME.fullmatch(line) is not None or _TOTAL.fullmatch(_SUFFIX.sub("", line)) is not None


def cell_side(text: str) -> int | None:
    """The side whose name, with at most the word "score", is all of ``text``."""
    match = _SIDE_CELL.fullmatch(text)
    return side_of(match["side"]) if match else None


def heading_side(text: str) -> int | None:
    """The side that ``text`` is the heading of: "**Image 1:**", "### Analysis of Image 1"."""
    if len(text) > LONGEST_NAME:
        return None
    match = _SIDE_HEADING.fullmatch(text)
    return side_of(match["side"]) if match else None
