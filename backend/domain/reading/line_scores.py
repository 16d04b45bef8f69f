"""Whose each score of a line is, where the line speaks of one dimension.

The order of names and scores decides. In the order of these rules:

- one score, and both sides named at once: it is both's ("both images get 8/10", "Image 1 and Image 2:
  8/10"), unless it lies between them ("the difference between Image 1 and Image 2 is 3");
- two names and then two joined scores, or the reverse: the first is the first's ("8/10 vs 6/10");
- every score with a name right behind it: that name's ("8/10 for Image 1");
- else a score is the side's that is spoken of before it, and of a side with two scores the one
  right behind its name is kept.

A score that none of them gives a side is nobody's, and then a lone reading beside it is not sure
enough either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from backend.domain.reading.lexer import Line, Mark
from backend.domain.reading.names import SIDE
from backend.domain.reading.words import POSSESSIVE

_NAMES = ("label", "both")

Scores = dict[int, float]
"""By side."""

# What may stand between a side's name and its number.
_GAP = re.compile(
    rf"(?:{POSSESSIVE})?\s{{0,2}}(?:(?:total\s)?(?:scores?|scored|rating|ratings|gets?|got|receives?|received|earns?"
    r"|deserves?|achieves?|is\srated|is\sgiven|is\sscored|has|as|得分|评分|得|为|是)\s?){0,2}"
    r"\s?(?:an?\s|of\s|is\s|at\s|with\s|as\s|a\sscore\sof\s|a\srating\sof\s){0,2}[\s:=–—()\[\]-]{0,5}",
    re.IGNORECASE,
)
_LONGEST_GAP = 48
_FOLLOWED = re.compile(
    rf"[)\]]?\s{{0,2}}(?:points?\s|pts\s)?(?:\(|for\s|to\s|[-–—:]\s?)\s{{0,2}}(?:the\s)?(?={SIDE})", re.IGNORECASE
)
_GIVEN = re.compile(rf"\s{{0,2}}(?:points?\s|pts\s)?(?:for|to)\s(?:the\s)?(?={SIDE})", re.IGNORECASE)
_JOIN = re.compile(r"[)\]]?\s{0,2}(?:and|vs\.?|versus|[,;|&/]|和|与){1,2}\s{0,2}[(\[]?", re.IGNORECASE)
# A side that is only compared with: the sentence is about the other one.
_COMPARED = re.compile(
    r"\b(?:than|to|with|over|unlike|like|against|from|versus|vs\.?)\s(?:(?:that|those|the|in|of)\s){0,2}$",
    re.IGNORECASE,
)
_AND = re.compile(r"\s?(?:and|&|/|和|与)\s?(?:the\s)?", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween\s(?:the\s)?$", re.IGNORECASE)
_REST_OF_PAIR = re.compile(r"\W*(?:respectively)?\W*", re.IGNORECASE)
_CUT = re.compile(r";|[.!?]\s")


def line_scores(part: Line, side: int | None) -> tuple[Scores, str]:
    """The score of each side in a line, or a part of one, and the name of the rule that read them.

    Args:
        side: Whose an unlabelled score is, when the lines above said so.
    """
    line, found = part.text, part.marks
    for mark in found:
        if mark.form not in _NAMES:
            break
    else:
        return {}, ""
    marks = _scores_among(line, found)
    numbers = [mark for mark in marks if mark.form not in _NAMES]
    labels = [mark for mark in marks if mark.form == "label"]
    if not numbers:
        return {}, ""
    if len(numbers) == 1 and _is_for_both(numbers[0], marks):
        return _kept({0: numbers[0].value, 1: numbers[0].value}), "one for both"
    if len(numbers) == 1 and (names := _joined(line, numbers[0], labels)):
        if _BETWEEN.search(line[max(0, names[0].start - 24) : names[0].start]):
            return {}, ""
        return _kept({0: numbers[0].value, 1: numbers[0].value}), "one for two names"
    if len(numbers) == 2 and _JOIN.fullmatch(line, numbers[0].end, numbers[1].start):
        if sides := _listed(numbers, labels):
            listed = {sides[0]: numbers[0].value, sides[1]: numbers[1].value}
            return _kept(listed), "two names, two scores"
        if not labels:
            return _kept({0: numbers[0].value, 1: numbers[1].value}), "two scores"
    if _all_followed(line, numbers, labels):
        return _before_names(numbers, labels), "names behind scores"
    return _behind_names(line, numbers, labels, side), "scores behind names"


def _kept(scores: dict[int, float | None]) -> Scores:
    return {side: value for side, value in scores.items() if value is not None}


def _scores_among(line: str, marks: list[Mark]) -> list[Mark]:
    """The marks without those numbers that are no scores.

    A plain number is one right behind a side's name, or each number of the line is given to a name
    ("7 for Image 1 and 9 for Image 2"). Beside an "8/10" it has to be the one number of that name.
    """
    kept = marks
    plain = any(mark.form == "bare" for mark in marks)
    if plain and not (_is_pair(line, marks) or _is_each_given(line, marks)):
        kept = [
            mark
            for before, mark in zip([None, *marks], marks, strict=False)
            if mark.form != "bare" or _is_behind(line, before, mark)
        ]
    if not any(mark.form == "strong" for mark in kept):
        return kept
    last = len(kept) - 1
    return [
        mark
        for place, mark in enumerate(kept)
        if mark.form in ("strong", "label", "both")
        or (place > 0 and not kept[place - 1].is_number and (place == last or not kept[place + 1].is_number))
    ]


def _is_each_given(line: str, marks: list[Mark]) -> bool:
    return all(_GIVEN.match(line, mark.end) for mark in marks if mark.is_number)


def _is_pair(line: str, marks: list[Mark]) -> bool:
    """Is ``line`` two numbers and next to nothing else: "8 vs 6", "Image 1 and Image 2: 8 and 6"?"""
    numbers = [mark for mark in marks if mark.is_number]
    if len(numbers) != 2:
        return False
    first, second = numbers
    place = marks.index(first)
    before = line[: first.start] if place == 0 else line[marks[place - 1].end : first.start]
    return (
        len(before) < _LONGEST_GAP
        and _GAP.fullmatch(before) is not None
        and len(line) - second.end < 16
        and _REST_OF_PAIR.fullmatch(line, second.end) is not None
        and _JOIN.fullmatch(line[first.end : second.start]) is not None
    )


def _is_behind(line: str, name: Mark | None, number: Mark) -> bool:
    """Does ``number`` stand right behind ``name``, or at the start of a line without one?"""
    if name is not None and name.is_number:
        return False
    start = name.end if name is not None else 0
    gap = line[start : number.start]
    return len(gap) <= _LONGEST_GAP and _GAP.fullmatch(gap) is not None


def _is_for_both(number: Mark, marks: list[Mark]) -> bool:
    before = marks[: marks.index(number)]
    both = next((place for place, mark in enumerate(before) if mark.form == "both"), None)
    if both is None:
        return False
    earlier = {mark.side for mark in before[:both]}
    return both == len(before) - 1 and earlier in (set(), {0, 1})


def _joined(line: str, number: Mark, labels: Sequence[Mark]) -> tuple[Mark, Mark] | None:
    """The names in "Image 1 and Image 2: 8/10", where ``number`` stands right behind both sides'."""
    named = [label for label in labels if label.start < number.start][-2:]
    if len(named) < 2 or {label.side for label in named} != {0, 1}:
        return None
    first, second = named
    joined = _AND.fullmatch(line[first.end : second.start]) is not None
    return (first, second) if joined and _is_behind(line, second, number) else None


def _listed(numbers: Sequence[Mark], labels: Sequence[Mark]) -> tuple[int, int] | None:
    """The sides in the order of their names, where all names stand on one side of all numbers."""
    if not labels or any(label.side is None for label in labels):
        return None
    before = labels[-1].start < numbers[0].start
    behind = labels[0].start > numbers[-1].start
    order = list(dict.fromkeys(label.side for label in labels))
    if not (before or behind) or len(order) != 2 or order[0] is None or order[1] is None:
        return None
    return order[0], order[1]


def _all_followed(line: str, numbers: Sequence[Mark], labels: Sequence[Mark]) -> bool:
    if not labels or labels[0].start < numbers[0].start:
        return False
    return all(_FOLLOWED.match(line, number.end) for number in numbers)


def _before_names(numbers: Sequence[Mark], labels: Sequence[Mark]) -> Scores:
    scores: dict[int, float | None] = {}
    waiting = iter(labels)
    for number in numbers:
        label = next((label for label in waiting if label.start >= number.end), None)
        if label is not None and label.side is not None:
            scores.setdefault(label.side, number.value)
    return _kept(scores)


def _behind_names(line: str, numbers: Sequence[Mark], labels: Sequence[Mark], side: int | None) -> Scores:
    scores: dict[int, float | None] = {}
    sure: set[int] = set()
    doubtful: set[int] = set()
    nobodys = False
    current = side
    place = end = 0
    for number in numbers:
        named = []
        while place < len(labels) and labels[place].start < number.start:
            named.append(labels[place])
            place += 1
        adjacent = False
        if named:
            current, adjacent = _subject(line, end, number, named, scores, alone=len(labels) == 1)
        elif end == 0:
            adjacent = _is_behind(line, None, number)
        end = number.end
        if current is None:
            nobodys = True
        elif current not in scores:
            scores[current] = number.value
            if adjacent:
                sure.add(current)
        elif current not in sure:
            doubtful.add(current)
    for unsure in doubtful:
        del scores[unsure]
    if nobodys:
        # One name too few, or one number too many: the others may be shifted as well.
        scores = {side: value for side, value in scores.items() if side in sure}
    elif doubtful and not sure and len(scores) < 2:
        return {}
    return _kept(scores)


def _subject(
    line: str, start: int, number: Mark, named: Sequence[Mark], scores: dict[int, float | None], *, alone: bool
) -> tuple[int | None, bool]:
    """Whose ``number`` is, of the sides named since the last one, and whether it is right behind."""
    last = named[-1]
    adjacent = _is_behind(line, last, number)
    spoken_of = [label for label in named if not _is_compared(line, label)]
    if not spoken_of:
        return (last.side, adjacent) if adjacent or alone else (None, False)
    if spoken_of[-1] is last and adjacent:
        return last.side, True
    if len(spoken_of) == 1:
        return spoken_of[0].side, False
    cut = start
    for match in _CUT.finditer(line, start, number.start):
        cut = match.end()
    subjects = [label for label in spoken_of if label.start >= cut] or spoken_of
    # What follows a score may still explain it: "Image 1 (9/10) fits, as Image 1 has light, Image 2 …".
    fresh = [label for label in subjects if label.side not in scores] or subjects
    sides = {label.side for label in fresh}
    return (fresh[0].side, False) if len(sides) == 1 else (None, False)


def _is_compared(line: str, label: Mark) -> bool:
    return _COMPARED.search(line[max(0, label.start - 24) : label.start]) is not None
