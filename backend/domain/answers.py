"""Where a judge's text keeps its answer and its reasoning.

Every quantifier here is bounded, so that no text, however hostile, takes more than linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.domain.pairs import MediaKind, Preference

_THINK = re.compile(r"<\s{0,4}(/?)\s{0,4}think\s{0,4}>", re.IGNORECASE)
_ANSWER = re.compile(r"<\s{0,4}(/?)\s{0,4}answer\s{0,4}>", re.IGNORECASE)

# An answer is a few words; what is longer is an essay in a tag, of which the first words count.
_LONGEST_ANSWER = 2000

_DECORATION = str.maketrans(dict.fromkeys("*_`\"'“”‘’#[]()", " "))

_CLAIM = re.compile(
    r"(?:(?:the|my|final|answer|is|overall|i|think|that)[\s,:]{1,3}){0,6}"
    r"(?:(?P<medium>image|video)\s?(?P<number>[12]|one|two)|"
    r"(?P<ordinal>first|second)\s(?P<medium2>image|video)(?:\sone)?)"
    r"\sis\s(?:(?:the|slightly|clearly|much|significantly|marginally|far|overall)\s){0,2}"
    r"(?:better|best|preferred)\b"
)
_BARE = re.compile(
    r"(?:(?:the|answer|is)[\s:]{1,3}){0,3}"
    r"(?:(?P<medium>image|video)\s?)?(?P<number>[12]|one|two|first|second)(?:\s(?P<medium2>image|video))?"
)
_TIE = re.compile(
    r"(?:both(?:\s(?P<medium>image|video)s?)?|(?:image|video)\s1\sand\s(?:image|video)\s2|"
    r"(?:the\s)?two\s(?P<medium2>image|video)s)\sare\s(?:both\s)?(?:equally\s\w{1,20}|equal|tied)\b"
    r"|(?:(?:it\sis\s)?a\s)?tie$|equal(?:ly\sgood)?$"
)
_ANY_CLAIM = re.compile(
    r"\b(?:(?P<medium>image|video)[\s*_]{1,6}(?P<number>[12])[\s*_]{1,6}is[\s*_]{1,6}better\b"
    r"|both[\s*_]{1,6}(?P<medium2>image|video)s[\s*_]{1,6}are[\s*_]{1,6}equally[\s*_]{1,6}good\b)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\b(?:(image|video)[\s*_#]{0,6}(?:[12]|one|two)|(?:first|second)\s{1,3}(image|video))\b",
    re.IGNORECASE,
)
_SIDES = {
    "1": Preference.FIRST,
    "one": Preference.FIRST,
    "first": Preference.FIRST,
    "2": Preference.SECOND,
    "two": Preference.SECOND,
    "second": Preference.SECOND,
}


@dataclass(frozen=True, slots=True)
class Sections:
    """A text taken apart.

    Attributes:
        reasoning: Inside ``<think>``; without one, the text without its answer tags.
        outside: What is neither reasoning in tags nor an answer tag.
        opened: There is a ``<think>``.
        closed: Every ``<think>`` has its ``</think>``.
        answers: What stands inside each answer tag.
    """

    reasoning: str
    outside: str
    opened: bool
    closed: bool
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer as it was read; ``medium`` is what the text called it, where it said."""

    side: Preference
    medium: MediaKind | None


def take_apart(text: str) -> Sections:
    """Find reasoning and answers in ``text``, wherever a model put them."""
    return _take_plain(text) or _take_any(text)


def _take_plain(text: str) -> Sections | None:
    """The one form that nearly all texts have: both tags, once, and no other "<"."""
    if not text.startswith("<think>") or text.count("<") != 4:
        return None
    close = text.find("</think>")
    start = text.find("<answer>", close)
    end = text.find("</answer>", start)
    if not 0 < close < start < end:
        return None
    return Sections(
        reasoning=text[7:close].strip(),
        outside=f"\n{text[close + 8 : start]}\n{text[end + 9 :]}",
        opened=True,
        closed=True,
        answers=(text[start + 8 : end],),
    )


def _take_any(text: str) -> Sections:
    thoughts: list[str] = []
    rest: list[str] = []
    start: int | None = None
    end = 0
    opened = False
    for tag in _THINK.finditer(text):
        if tag[1]:
            if start is not None:
                thoughts.append(text[start : tag.start()])
            elif not opened:
                # Some chat templates write "<think>" themselves: the text then starts inside it.
                thoughts.append(text[end : tag.start()])
            else:
                rest.append(text[end : tag.start()])
            start = None
        elif start is None:
            rest.append(text[end : tag.start()])
            start = tag.end()
            opened = True
        else:
            continue
        end = tag.end()
    closed = start is None
    answers, _ = _answers(text)
    if start is None:
        rest.append(text[end:])
    else:
        thoughts.append(_answers(text[start:])[1])
    outside = _answers("\n".join(rest))[1]
    reasoning = "\n".join(filter(None, (thought.strip() for thought in thoughts)))
    return Sections(
        reasoning=reasoning if thoughts else outside.strip(),
        outside=outside,
        opened=opened,
        closed=closed,
        answers=answers,
    )


def _answers(text: str) -> tuple[tuple[str, ...], str]:
    """What the answer tags of ``text`` hold, and ``text`` without them."""
    contents: list[str] = []
    kept: list[str] = []
    start: re.Match[str] | None = None
    end = 0
    for tag in _ANSWER.finditer(text):
        if not tag[1]:
            start = tag
        elif start is not None:
            contents.append(text[start.end() : tag.start()])
            kept.append(text[end : start.start()])
            end = tag.end()
            start = None
    if start is not None and not contents:
        # The model stopped before "</answer>": its words may be whole all the same.
        contents.append(text[start.end() :])
        kept.append(text[end : start.start()])
        end = len(text)
    kept.append(text[end:])
    return tuple(contents), "\n".join(kept)


def read_answer(content: str) -> Reading | None:
    """What an answer tag says; ``None`` when it does not clearly say one thing."""
    words = " ".join(content[:_LONGEST_ANSWER].translate(_DECORATION).split()).casefold()
    words = words.strip(" .!:;,-")
    if match := _TIE.match(words):
        return Reading(Preference.TIE, _medium(match))
    if match := _BARE.fullmatch(words):
        return Reading(_SIDES[match["number"]], _medium(match))
    if match := _CLAIM.match(words):
        side = _SIDES[match["number"] or match["ordinal"]]
        others = {_SIDES[m["number"]] for m in _ANY_CLAIM.finditer(words) if m["number"]}
        if others <= {side}:
            return Reading(side, _medium(match))
    return None


def last_claim(text: str) -> Reading | None:
    """The last "Image 1 is better", "… 2 is better" or "both … equally good" of untagged text."""
    found: re.Match[str] | None = None
    for found in _ANY_CLAIM.finditer(text):  # noqa: B007
        pass
    if found is None:
        return None
    side = _SIDES[found["number"]] if found["number"] else Preference.TIE
    return Reading(side, _medium(found))


def named_media(text: str) -> set[MediaKind]:
    """The media that ``text`` names its two sides by, as in "Image 1" or "the second video"."""
    found: set[MediaKind] = set()
    for match in _NAMED.finditer(text):
        found.add(_kind(match[1] or match[2]))
        if len(found) == len(MediaKind):
            break
    return found


def _medium(match: re.Match[str]) -> MediaKind | None:
    word = match["medium"] or match["medium2"]
    return _kind(word) if word else None


def _kind(word: str) -> MediaKind:
    # By its first letter: ignoring case, "i" also matches letters that never fold to it.
    return MediaKind.VIDEO if word[0] in "vV" else MediaKind.IMAGE
