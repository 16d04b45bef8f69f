"""Sides and numbers in one line of a judge's reasoning, each at its place."""

from __future__ import annotations

import re
from typing import NamedTuple

from backend.domain.reading.names import NOUN, SAID_OF, side_of
from backend.domain.reading.words import NUMBER, OUT_OF, PLAIN_SCORE, SHORT_SCORE

_TEN = rf"{OUT_OF}\s{{0,2}}10(?:\.0)?(?![0-9]|\.[0-9])"
_NUMBERED = rf"[ \t_\#*-]{{0,3}}(?:[12](?![0-9a-z])|[ab](?!\w)|(?:one|two)\b{SAID_OF})"
_NOT_A_SCORE = r"(?![a-z0-9_/+%~–-]|\.[0-9]|\s?/)"
# Both patterns read lower case and start with a set of characters, to the next of which the engine
# skips: several times as fast as trying each place. The first set is what may stand before a word.
_MARK = re.compile(
    rf"""
    [^a-z0-9_] (?:
      (?<=[(\[])\s{{0,2}}(?:score\s{{0,2}}[:=]?\s{{0,2}})?(?P<paren>{SHORT_SCORE})
      \s{{0,2}}(?:points?|pts)?(?=[)\]])
    | (?=[bcefiprstv12]) (?:
        (?P<both>both\s(?:of\s)?(?:the\s)?(?:images|videos|pictures|clips|them)\b
          |both(?=\s(?:gets?|scores?|receives?|earn|deserve|are|have)\b|\s?:)
          |the\stwo\s(?:images|videos)\b|each\s(?:of\sthe\s(?:images|videos)|image|video)\b
          |(?:images|videos)\s(?:1|a)\s(?:and|&)\s(?:2|b)(?!\w))
      | (?P<label>(?:image|video|img|picture|photo|clip)s?{_NUMBERED}
          |(?:first|second|1st|2nd)\s(?:{NOUN}|one|option)\b|the\s(?:first|second)\b{SAID_OF})
      | (?P<other>the\sother(?:\s(?:{NOUN}|one|option))?\b|(?:the|its)\s(?:former|latter|rival)\b)
      | (?:score|rating)\s{{0,2}}(?:of|is|:|=)\s{{0,2}}(?P<worded>{PLAIN_SCORE}){_NOT_A_SCORE}
      )
    | (?<![.,/])(?=[0-9]) (?:
        (?P<range>{NUMBER}(?:\s?{_TEN})?(?:\s?(?:[~–—-]|to|or)\s?{NUMBER}\s{{0,2}}{_TEN}
          |(?:[~–—-]|\s(?:to|or)\s){NUMBER}(?![0-9/])))
      | (?P<strong>{NUMBER})\s{{0,2}}(?:{_TEN}|分(?!钟))
      )
    | (?:(?<=[(:\[])|(?<=[(:]\s))-(?P<minus>{NUMBER})\s{{0,2}}(?:{_TEN}|分(?!钟))
    | (?<![.,/])(?<!\+)(?<!\+\s)(?<![:=(]-)(?<![:=(]\s-)(?P<bare>{PLAIN_SCORE})
      (?=\s{{0,3}}(?:$|,(?![0-9])|[;)\]|]|\.(?:\s|$)|[-–—]\s|\(
        |(?:and|vs|versus|points?|pts|while|whereas|but|because|since|as|due|for|to|image|video
           |respectively)\b))
    )""",
    re.VERBOSE,
)
# Chinese has no spaces: a name may stand behind anything.
_CHINESE_MARK = re.compile(
    rf"""
    [图视第前后另两得评分] (?:
      (?P<both>(?<=两)[张幅个段](?:图像|图片|图|视频))
    | (?P<label>(?:(?<=图)[像片]?|(?<=视)频)\s?[12一二ab](?![0-9])
        |(?<=第)\s?[12一二]\s?[张幅个段]\s?(?:图像|图片|图|视频)?)
    | (?P<other>(?<=前)者|(?<=后)者|(?<=另)一[张幅个段](?:图像|图片|图|视频)?)
    | (?:(?<=得)分|(?<=评)分|(?<=分)数)(?:为|是|:)?\s{{0,2}}(?P<worded>{PLAIN_SCORE}){_NOT_A_SCORE}
    )""",
    re.VERBOSE,
)


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


class Line(NamedTuple):
    """A line, or a part of one, with what stands in it, so that it is looked through once.

    Attributes:
        marks: Every name of a side and every possible score, in their order.
        lower: In lower case, with spaces for underscores.
    """

    text: str
    marks: list[Mark]
    lower: str

    def names(self, words: tuple[str, ...]) -> bool:
        """Does one of ``words`` stand in the line?"""
        lower = self.lower
        for word in words:  # noqa: SIM110 - a generator costs several times as much
            if word in lower:
                return True
        return False

    def part(self, start: int, end: int | None = None) -> Line:
        """The stretch of this line from ``start`` to ``end``."""
        if start == 0 and end is None:
            return self
        stop = len(self.text) if end is None else end
        return Line(
            self.text[start:stop],
            [
                Mark(mark.start - start, mark.end - start, mark.form, mark.side, mark.value)
                for mark in self.marks
                if mark.start >= start and mark.end <= stop
            ],
            self.lower[start:stop],
        )


def line_of(text: str) -> Line:
    """``text`` with every mark in it. "The other image" is the one that was not named last."""
    lower = _lower(text)
    return Line(text, _marks(text, lower), lower.replace("_", " ") if "_" in lower else lower)


def first_name(marks: list[Mark]) -> int | None:
    """Where the first name of a side, or of both, starts."""
    return next((mark.start for mark in marks if not mark.is_number), None)


def marks_of(text: str) -> list[Mark]:
    """Every name of a side and every possible score of a line, in its order.

    "The other image" is the one that was not named last.
    """
    return _marks(text, _lower(text))


def _lower(text: str) -> str:
    lower = text.lower()
    # "İ" becomes two characters; places must stay those of the text.
    return lower if len(lower) == len(text) else "".join(c.lower()[:1] for c in text)


def _marks(text: str, lower: str) -> list[Mark]:
    # A space before the first word, too.
    spaced = " " + lower
    marks = [mark for match in _MARK.finditer(spaced) if (mark := _mark(match, text, lower))]
    if not lower.isascii():
        chinese = [_chinese_mark(match) for match in _CHINESE_MARK.finditer(lower)]
        if chinese:
            marks = _apart(sorted(marks + chinese, key=lambda mark: (mark.start, -mark.end)))
    if any(mark.form == "other" for mark in marks):
        marks = _named(lower, marks)
    return marks


def _mark(match: re.Match[str], text: str, lower: str) -> Mark | None:
    form = str(match.lastgroup)
    start, end = match.start(), match.end() - 1
    if form == "label":
        # "Image a" is no name, "Image A" is.
        if lower[end - 1] in "ab" and text[end - 1] not in "AB":
            return None
        return Mark(start, end, form, side_of(match[form]))
    if form in ("both", "other"):
        return Mark(start, end, form)
    if form == "range":
        return Mark(start, end, "strong" if match[form].endswith("10") else "bare")
    value = float(match[form])
    if form == "paren":
        return Mark(start - 1, end + 1, form, None, value)
    return Mark(start, end, "strong", None, -value) if form == "minus" else Mark(start, end, form, None, value)


def _chinese_mark(match: re.Match[str]) -> Mark:
    form = str(match.lastgroup)
    if form == "label":
        return Mark(match.start(), match.end(), form, side_of(match[0]))
    value = float(match[form]) if form == "worded" else None
    return Mark(match.start(), match.end(), form, None, value)


def _apart(marks: list[Mark]) -> list[Mark]:
    kept: list[Mark] = []
    for mark in marks:
        if not kept or mark.start >= kept[-1].end:
            kept.append(mark)
    return kept


def _named(lower: str, marks: list[Mark]) -> list[Mark]:
    """``marks`` with the side that "the other one" is, where another was named before it."""
    found = []
    named: int | None = None
    for mark in marks:
        if mark.form == "label":
            named = mark.side
        elif mark.form == "other":
            words = lower[mark.start : mark.end]
            is_other = "other" in words or words.startswith("另")
            named = 1 - named if is_other and named is not None else None
            mark = mark._replace(form="label", side=named)
        found.append(mark)
    return found
