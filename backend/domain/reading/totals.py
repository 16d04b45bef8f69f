"""Stated totals: what calls itself one, and what each side's is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.domain.reading.lexer import Line
from backend.domain.reading.names import SIDE, side_of
from backend.domain.reading.words import NUMBER, OUT_OF, RATING

_SCALE = rf"(?:\s?{OUT_OF}\s?(?P<scale>[0-9]{{1,3}}))?"
TOTAL = (
    r"(?:\b(?:(?:overall|final|grand|combined|cumulative|aggregated?)\s)?(?:totals?|sums?)"
    r"(?=\s{0,2}(?:$|[^\w\s]|[0-9]|(?:scores?|points?|ratings?|is|are|was|of|for|comes|image|video)\b))"
    rf"|\b(?:combined|cumulative|aggregated?)\s{RATING}\b"
    r"|\b(?:summing|adding)\s(?:(?:up|all|of|the|these|those|its|their|them|each)\s?){0,4}"
    r"(?:(?:dimension\s)?(?:scores?|ratings?|points?|numbers?)\b|(?<=up\s)|(?<=up))"
    r"|\badd(?:ed)?\sup\b|总分|总得分|总计|合计|总评分)"
)
"""Words that announce a sum, without groups; for patterns that ignore case."""

TOTAL_ROOTS = ("total", "sum", "combined", "cumulative", "aggregat", "adding", "added up", "add up", "总", "合计")
"""One of these stands, in lower case, wherever :data:`TOTAL` does."""

_TOTAL_FIRST = re.compile(
    rf"(?<![\w.])(?P<sum>{NUMBER})(?:\s?/\s?(?P<scale>[0-9]{{1,3}}))?\s{{0,2}}(?:points?\s)?"
    rf"(?:\(|for\s|to\s)\s{{0,2}}(?:the\s)?(?P<label>{SIDE})",
    re.IGNORECASE,
)
_EQUALS = re.compile(rf"=\s{{0,3}}(?P<sum>{NUMBER}){_SCALE}", re.IGNORECASE)
# What may stand between a side's name and its total.
_WORDS = (
    r"\W{0,6}(?:(?:s|totals?|total(?:ing|ling)|scores?|scored|sums?|is|are|of|has|have|gets?|got|receives?"
    r"|earns?|achieves?|comes|adds|ends|up|out|to|an?|the|points|at|with|overall|final|both)\b\W{1,4}){0,7}"
    r"(?:(?:总分|总计|合计|得分|总|得|共|为|是)\s?:?\s?){0,3}"
)
_STATED = re.compile(
    rf"{_WORDS}(?P<sum>{NUMBER}(?:\s?\+\s?{NUMBER}){{0,40}})(?!(?!pts\b)[A-Za-z0-9_]|\.[0-9]){_SCALE}", re.IGNORECASE
)
_OF = r"(?:\s?/\s?[0-9]{1,3})?"
_TWO = re.compile(
    rf"{_WORDS}(?P<a>{NUMBER}){_OF}\s{{0,2}}(?:vs\.?|versus|and|,|;|-|–|to|[|<>]|和)\s{{0,2}}"
    rf"(?P<b>{NUMBER}){_OF}(?=\W|$)",
    re.IGNORECASE,
)
# A total stands near its side's name; further on there is only talk.
_REACH = 200


@dataclass(frozen=True, slots=True)
class Total:
    """A stated total; ``scale`` is 30 in ``25/30``."""

    value: float
    scale: int | None


def total_of(text: str) -> Total | None:
    """The total that ``text`` starts with: "25", "25/30", "9+8+8=25", "has a total of 25 points"."""
    text = text[:_REACH]
    equal = None
    for equal in _EQUALS.finditer(text):  # noqa: B007
        pass
    match = equal or _STATED.match(text)
    if match is None:
        return None
    value = sum(float(part) for part in match["sum"].split("+"))
    return Total(value, int(match["scale"]) if match["scale"] else None)


def line_totals(part: Line, side: int | None) -> dict[int, Total]:
    """Each side's stated total in a line; ``side`` is whose an unlabelled one is."""
    line = part.text
    totals: dict[int, Total] = {}
    for match in _TOTAL_FIRST.finditer(line):
        scale = int(match["scale"]) if match["scale"] else None
        totals.setdefault(side_of(match["label"]), Total(float(match["sum"]), scale))
    if totals:
        return totals
    marks = [mark for mark in part.marks if not mark.is_number]
    labels = [mark for mark in marks if mark.side is not None]
    for place, label in enumerate(labels):
        stop = labels[place + 1].start if place + 1 < len(labels) else len(line)
        total = total_of(line[label.end : min(stop, label.end + _REACH)])
        if total is not None:
            totals.setdefault(label.side or 0, total)
    if len(totals) == 1 and len(labels) == 2 and (two := _TWO.match(line, labels[1].end)):
        # "Image 1 and Image 2: 25 and 20"
        values = zip(labels, (two["a"], two["b"]), strict=True)
        return {label.side or 0: Total(float(value), None) for label, value in values}
    if labels:
        return totals
    both = next((mark for mark in marks if mark.form == "both"), None)
    start = both.end if both else 0
    if two := _TWO.match(line, start):
        return {0: Total(float(two["a"]), None), 1: Total(float(two["b"]), None)}
    only = total_of(line[start:])
    if only is None:
        return {}
    if both:
        return {0: only, 1: only}
    return {side: only} if side is not None else {}
