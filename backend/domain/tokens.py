"""Sides and numbers in one line of a judge's reasoning. Sides are 0 (first) and 1 (second)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = r"[0-9]{1,4}(?:\.[0-9]{1,3})?"
_LABEL = (
    r"(?:(?:image|video|img|picture|clip)[ \t_]{0,2}\#?(?:1|2)(?![0-9])"
    r"|(?:first|second)\s(?:image|video))"
)
_MARK = re.compile(
    rf"""
      \b(?P<label>{_LABEL})
    | (?<![\w.,/])(?P<strong>(?:(?:(?<=[(:\[])|(?<=[(:]\s))-)?{_NUMBER})
      \s{{0,2}}(?:/|out\sof)\s{{0,2}}10(?![0-9]|\.[0-9])
    | [(\[]\s{{0,2}}(?:score\s{{0,2}}[:=]?\s{{0,2}})?
      (?P<paren>[0-9]{{1,2}}(?:\.[0-9]{{1,2}})?)\s{{0,2}}[)\]]
    | \b(?:score|rating)\s{{0,2}}(?:of|is|:|=)\s{{0,2}}(?P<worded>[0-9]{{1,3}}(?:\.[0-9]{{1,2}})?)
      (?![\w/+%]|\.[0-9]|\s?/)
    | (?<![\w.+/,])(?P<bare>[0-9]{{1,3}}(?:\.[0-9]{{1,2}})?)
      (?=\s{{0,3}}(?:$|[,;)\]|]|\.(?:\s|$)|[-–—]\s|\(|(?:and|vs|versus|points?|while|image|video)\b))
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LABEL_ALONE = re.compile(
    rf"\W{{0,4}}(?P<label>{_LABEL})(?:\s(?:scores?|rating))?"
    r"(?:\s?\((?:[^|)0-9]{0,20}|(?:1\s?[-–]|/|out\sof)\s?10)\))?\W{0,4}",
    re.IGNORECASE,
)
# What may stand between a side's name and a number that needs neither "/10" nor brackets.
_GAP = re.compile(
    r"(?:'s)?\s{0,2}(?:scores?|rating|gets|receives|earns)?\s{0,2}(?:an?\s|of\s|is\s)?[\s:=–—(\[-]{0,5}",
    re.IGNORECASE,
)
_FOLLOWED = re.compile(
    rf"[)\]]?\s{{0,2}}(?:\(|for\s|to\s)\s{{0,2}}(?:the\s)?(?={_LABEL})", re.IGNORECASE
)
_ADJACENT = re.compile(r"[^\w;]{0,8}")

_TOTAL_FIRST = re.compile(
    rf"(?<![\w.])(?P<sum>{_NUMBER})(?:\s?/\s?(?P<scale>[0-9]{{1,3}}))?\s{{0,2}}(?:points?\s)?"
    rf"(?:\(|for\s|to\s)\s{{0,2}}(?P<label>{_LABEL})",
    re.IGNORECASE,
)
_EQUALS = re.compile(
    rf"=\s{{0,3}}(?P<sum>{_NUMBER})(?:\s{{0,2}}/\s{{0,2}}(?P<scale>[0-9]{{1,3}}))?"
)
_STATED = re.compile(
    rf"\W{{0,6}}(?:(?:s|total|scores?|sum|is|of|has|gets|an?|points|at|with)\b\W{{1,4}}){{0,5}}"
    rf"(?P<sum>{_NUMBER}(?:\s?\+\s?{_NUMBER}){{0,40}})(?![\w.]*\w)"
    r"(?:\s{0,2}/\s{0,2}(?P<scale>[0-9]{1,3}))?",
    re.IGNORECASE,
)
_UNLABELLED = re.compile(
    rf"\W{{0,6}}(?P<a>{_NUMBER})(?:\s?/\s?[0-9]{{1,3}})?\s{{0,2}}(?:vs\.?|versus|and|,|;|-|–|to|\|)"
    rf"\s{{0,2}}(?P<b>{_NUMBER})(?:\s?/\s?[0-9]{{1,3}})?\W{{0,6}}",
    re.IGNORECASE,
)
_LABEL_BEFORE = re.compile(rf"\b{_LABEL}", re.IGNORECASE)
_VERSUS = re.compile(
    rf"\W{{0,4}}{_NUMBER}\s{{0,2}}(?:vs\.?|versus|,|;|and)\s{{0,2}}{_NUMBER}\W{{0,4}}",
    re.IGNORECASE,
)
# A total stands near its side's name; further on there is only talk.
_REACH = 200


@dataclass(frozen=True, slots=True)
class Mark:
    """A side's name (``side`` is 0 or 1) or a number (``side`` is -1) at its place in a line."""

    start: int
    end: int
    side: int
    value: float
    strong: bool = False
    bare: bool = False

    @property
    def is_label(self) -> bool:
        return self.side >= 0


@dataclass(frozen=True, slots=True)
class Total:
    """A stated total; ``scale`` is 30 in ``25/30``."""

    value: float
    scale: int | None


def _side(label: str) -> int:
    return 0 if label.endswith("1") or label[0] in "fF" else 1


def label_side(text: str) -> int | None:
    """The side whose name is all of ``text``."""
    match = _LABEL_ALONE.fullmatch(text)
    return _side(match["label"]) if match else None


def is_label_only(text: str) -> bool:
    """Is ``text`` the name of a side and nothing else, as in "**Image 1:**"?"""
    return _LABEL_ALONE.fullmatch(text) is not None


def marks_of(line: str) -> list[Mark]:
    """Every side and every possible score of ``line``, in its order."""
    marks = []
    for match in _MARK.finditer(line):
        group = str(match.lastgroup)
        if group == "label":
            marks.append(Mark(match.start(), match.end(), _side(match["label"]), 0.0))
        else:
            start = match.start()
            value = float(match[group])
            marks.append(
                Mark(start, match.end(), -1, value, strong=group == "strong", bare=group == "bare")
            )
    return marks


def line_scores(line: str, side: int | None) -> dict[int, float]:
    """The score of each side in ``line``, where it speaks of one dimension.

    Args:
        side: Whose an unlabelled score is, when the lines above said so.
    """
    found = marks_of(line)
    marks = [mark for mark in found if mark.is_label or _is_score(line, mark, found)]
    if any(mark.strong for mark in marks):
        marks = _without_weak(marks)
    labels = [mark for mark in marks if mark.is_label]
    numbers = [mark for mark in marks if not mark.is_label]
    if not numbers:
        return {}
    if _FOLLOWED.match(line, numbers[0].end):
        return _scores_before_labels(line, numbers, labels)
    return _scores_after_labels(line, numbers, labels, side)


def _without_weak(marks: list[Mark]) -> list[Mark]:
    """Beside "8/10", a plain number is a score only as the one number that its side has."""
    last = len(marks) - 1
    return [
        mark
        for place, mark in enumerate(marks)
        if mark.is_label
        or mark.strong
        or (
            place > 0 and marks[place - 1].is_label and (place == last or marks[place + 1].is_label)
        )
    ]


def _is_score(line: str, mark: Mark, marks: list[Mark]) -> bool:
    if not mark.bare:
        return True
    # ``marks`` is sorted, but a search from its start would be quadratic: look back in the text.
    window = line[max(0, mark.start - 40) : mark.start]
    label = None
    for label in _LABEL_BEFORE.finditer(window):  # noqa: B007
        pass
    gap = window[label.end() :] if label else window
    if label is None and len(window) == 40:
        return False
    return _GAP.fullmatch(gap) is not None or (
        label is None and len(marks) <= 3 and _VERSUS.fullmatch(line) is not None
    )


def _scores_before_labels(line: str, numbers: list[Mark], labels: list[Mark]) -> dict[int, float]:
    """Scores in front of what they are for: "9/10 for Image 1, 3/10 for Image 2"."""
    scores: dict[int, float] = {}
    place = 0
    for number in numbers:
        while place < len(labels) and labels[place].start < number.end:
            place += 1
        if place < len(labels) and _FOLLOWED.match(line, number.end):
            scores.setdefault(labels[place].side, number.value)
    return scores


def _scores_after_labels(
    line: str, numbers: list[Mark], labels: list[Mark], side: int | None
) -> dict[int, float]:
    """Scores behind their side: the first side named since the score before, if it lacks one."""
    scores: dict[int, float] = {}
    settled: set[int] = set()
    orphans: list[float] = []
    current = side
    place = end = 0
    for number in numbers:
        named = []
        while place < len(labels) and labels[place].start < number.start:
            named.append(labels[place])
            place += 1
        label = _subject(line, end, number.start, named, scores) if named else None
        end = number.end
        if label is not None:
            current = label.side
        elif current is None:
            orphans.append(number.value)
            continue
        if current in settled:
            continue
        scores[current] = number.value
        # "Image 1: 8/10, with 3/10 for …" has its score first; "Image 1 … (8/10)" has it last.
        if label is not None and _ADJACENT.fullmatch(line[label.end : number.start][:9]):
            settled.add(current)
    if not scores and not labels and len(orphans) == 2:
        return {0: orphans[0], 1: orphans[1]}
    return scores


def _subject(line: str, start: int, end: int, named: list[Mark], scores: dict[int, float]) -> Mark:
    if scores:
        # Up to the first semicolon the line may still be explaining the score before.
        cut = line.find(";", start, end)
        named = [label for label in named if label.start > cut] or named
    return next((label for label in named if label.side not in scores), named[0])


def number_of_cell(cell: str) -> float | None:
    """The score in a table's cell: "8", "8/10", "8/10 – crisp" or "crisp (8)"."""
    if label_side(cell) is not None:
        return None
    marks = [mark for mark in marks_of(cell) if not mark.is_label]
    strong = [mark for mark in marks if mark.strong]
    if strong:
        return strong[0].value
    for mark in marks:
        if not mark.bare or not any(map(str.isalnum, cell[: mark.start])):
            return mark.value
    return None


def total_of(text: str) -> Total | None:
    """The total that ``text`` starts with: "25", "25/30", "9+8+8=25", "(25)"."""
    text = text[:_REACH]
    equal = None
    for equal in _EQUALS.finditer(text):  # noqa: B007
        pass
    match = equal or _STATED.match(text)
    if match is None:
        return None
    value = sum(float(part) for part in match["sum"].split("+"))
    return Total(value, int(match["scale"]) if match["scale"] else None)


def line_totals(line: str, side: int | None) -> dict[int, Total]:
    """Each side's stated total in ``line``; ``side`` is whose an unlabelled one is."""
    totals: dict[int, Total] = {}
    for match in _TOTAL_FIRST.finditer(line):
        scale = int(match["scale"]) if match["scale"] else None
        totals.setdefault(_side(match["label"]), Total(float(match["sum"]), scale))
    if totals:
        return totals
    labels = [mark for mark in marks_of(line) if mark.is_label]
    for place, label in enumerate(labels):
        stop = labels[place + 1].start if place + 1 < len(labels) else len(line)
        total = total_of(line[label.end : min(stop, label.end + _REACH)])
        if total is not None:
            totals.setdefault(label.side, total)
    if labels:
        return totals
    if both := _UNLABELLED.fullmatch(line):
        return {0: Total(float(both["a"]), None), 1: Total(float(both["b"]), None)}
    only = total_of(line)
    return {side: only} if only is not None and side is not None else {}
