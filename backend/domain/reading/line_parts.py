"""A line that names several dimensions, cut into parts that each name at most one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.domain.reading.headings import KNOWN_NAME, KNOWN_NAMES, name_of
from backend.domain.reading.lexer import Line
from backend.domain.reading.names import SIDE
from backend.domain.reading.totals import TOTAL, TOTAL_ROOTS
from backend.domain.reading.words import POSSESSIVE, SCORE, SHORT_SCORE

_NAMES = (
    rf"(?:{KNOWN_NAME}(?:\sscores?)?|{TOTAL}(?:\s(?:scores?|points?|ratings?))?"
    r"|(?:overall\s)?average(?:\sscores?)?)"
)
# A number that is all that is said of a name: "…, Aesthetics 7, …".
_OWN_SCORE = rf"(?:{SCORE}|{SHORT_SCORE}\s?(?:[,;)]|\.(?:\s|$)|$))"
# A name in the middle of a line that heads what follows it: "…, Aesthetics: 7/10".
_INNER_HEAD = re.compile(
    rf"[.;,|:)\]–—-]\s{{0,3}}(?P<head>(?:{SIDE}(?:{POSSESSIVE}|\s?[:–—-])?\s{{0,2}})?(?<![\w-]){_NAMES})"
    rf"(?:\s?\([^()]{{0,12}}\))?(?:\s?[:=]|\s[–—-]\s|\s{{0,2}}(?={_OWN_SCORE}))",
    re.IGNORECASE,
)
# A list of nothing but names and scores: "Detail: 8/10, Colour: 7/10".
_ITEM = re.compile(
    rf"\s*(?:and\s)?(?:{SIDE}(?:{POSSESSIVE}|\s?[:–—-])?\s?)?[^\W\d][^:;,|()0-9]{{1,39}}[:=(\s]\s?{SCORE}[)\]]?[\s.]*",
    re.IGNORECASE,
)
TAIL = re.compile(
    rf"{SCORE}[)\]]?\s(?:for|in|on|in\sterms\sof|regarding)\s(?:the\s|its\s)?(?P<name>{KNOWN_NAME})(?!\w)",
    re.IGNORECASE,
)
"""A name behind its score: "8/10 for aesthetics"."""

AT_START = re.compile(rf"(?:(?:score|rating|for|in|the|of)\W{{1,3}}){{0,3}}\W{{0,6}}(?P<side>{SIDE})", re.I)
"""A line that is about one side: "Image 1 …", "Score of the first image …"."""

_SEPARATOR = re.compile(r"[,;|]")
_BETWEEN = " ,;|:–—"
_HEADS = (*KNOWN_NAMES, *TOTAL_ROOTS, "average")


def parts_of(line: Line) -> list[Line]:
    """``line`` cut where it comes to a new dimension, or to the total."""
    several = line.text.count("10") > 1
    # A name that the line starts with cuts nothing.
    named = False
    for word in _HEADS:
        if line.lower.find(word, 1) > 0:
            named = True
            break
    if not several and not named:
        return [line]
    places = list(_cuts(line.text, several=several, named=named))
    if not places:
        return [line]
    parts = []
    start = 0
    for place in [*places, None]:
        if part := _stripped(line, start, place):
            parts.append(part)
            start = place or 0
    return parts or [line]


def _stripped(line: Line, start: int, end: int | None) -> Line | None:
    """The stretch without what only separates it from the others; ``None`` if nothing is left."""
    text = line.text[start:end]
    if not (kept := text.strip(_BETWEEN)):
        return None
    start += len(text) - len(text.lstrip(_BETWEEN))
    return line.part(start, start + len(kept))


def _cuts(line: str, *, several: bool, named: bool) -> Iterator[int]:
    """Where in ``line`` a new part starts.

    Args:
        several: It may hold several scores.
        named: It may name a dimension or a total behind its start.
    """
    items = _SEPARATOR.split(line) if several else []
    if len(items) > 1 and all(map(_ITEM.fullmatch, items)):
        place = 0
        for item in items:
            yield place
            if side := AT_START.match(item):
                yield place + side.end()
            place += len(item) + 1
        return
    if not named:
        return
    tails = list(TAIL.finditer(line)) if several else []
    if len({name_of(tail["name"]).casefold() for tail in tails}) > 1:
        yield from (tail.end() for tail in tails[:-1])
        return
    for head in _INNER_HEAD.finditer(line):
        yield head.start("head")
