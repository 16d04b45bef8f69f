"""What a judge's answer says: one side, a tie, or nothing that is sure.

An answer is read by its *statements*: "Image 1 is better", "I prefer the second video", "both are
equally good". It is read only where all of them say the same, none is denied ("not", "neither"),
none is doubted ("maybe", "if", "?") and none speaks of "the other one". What says less than that is
unreadable, which is not the same as wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.domain.pairs import MediaKind, Preference
from backend.domain.plain import plain
from backend.domain.sides import BOTH, OTHER, SIDE, medium_of, side_of

# An answer is a few words; what is longer is an essay in a tag, of which the first words count.
_LONGEST_ANSWER = 2000

_DECORATION = str.maketrans(dict.fromkeys("*_`\"'“”‘’#[]{}()", " "))

_HOW = (
    r"(?:(?:the|a|an|slightly|clearly|much|significantly|marginally|far|overall|definitely|still"
    r"|generally|ultimately|obviously|somewhat|just|bit|little|also|therefore|thus|considered"
    r"|visually|notably|substantially|considerably|noticeably|certainly|not|never)\s){0,4}"
)
_WINNER = r"(?:better|best|superior|preferred|preferable|stronger|winner)\b"
_DECIDED = r"(?=\s?(?:$|[.;!,:\n]|(?:is|as|over|because|since|for|due)\b))"
_STATEMENT = re.compile(
    rf"""
      (?:(?P<side>{SIDE})|(?P<other>{OTHER}|\b(?:neither|none)\b(?:\sone|\simage|\svideo)?))
      \s?(?:(?:is|was|s|isn\st|wasn\st)\s{_HOW}{_WINNER}|{_HOW}(?:wins|won)\b
         |(?:明显|稍微|略微?|整体|总体|显然|的?(?:效果|质量))?\s?(?:更好|更佳|更优|较好|较优|最好|胜出|获胜))
    | \b(?:(?:better|best|superior|preferred|winning)\s(?:one|image|video|picture|choice|option)
         \s?(?:is|:)|i\s(?:prefer|choose|pick|select|favou?r)
         |(?:winner|answer|verdict|choice|decision|preference)\s?(?:is|:|is\s?:))
      \s?(?:the\s)?(?:(?P<picked>{SIDE})|(?P<picked_other>{OTHER})){_DECIDED}
    | (?P<tie>(?:{BOTH}|\bboth\b|{SIDE}\s(?:and|&)\s(?:{SIDE})|\b(?:images|videos|they)\b)
         \s(?:are\s)?(?:not\s)?(?:both\s|all\s)?(?:equally\s\w{{1,20}}|equal\b|tied\b)
         |两(?:张|幅|个|段|者)?(?:图像|图片|图|视频)?(?:一样|同样|同等)好)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BARE = re.compile(
    rf"(?:(?:the|my|our|final|answer|is|verdict|winner|choice|it|so|i|would|choose|prefer|pick|select)"
    rf"[\s:,]{{1,3}}){{0,6}}"
    rf"(?:(?P<side>{SIDE})(?:\s(?:image|video|one))?|(?P<number>[12]|one|two|first|second|(?-i:[AB]))"
    r"|(?P<tie>(?:it\s(?:is|s)\s)?(?:a\s)?(?:tie|draw)|equal(?:ly\sgood)?))",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|no|never|neither|nor|none|hardly|barely|cannot|without|"
    r"(?:is|was|do|does|did|ca|wo|would|could|should)n?\st)\b|不",
    re.IGNORECASE,
)
_DOUBTED = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|might|may|could|would|if|unless|either|or|whether"
    r"|arguably|depend(?:s|ing)?|unclear|unsure|uncertain|hard|difficult|unable)\b"
    r"|可能|也许|或许|如果",
    re.IGNORECASE,
)
# Said of the whole answer, wherever it stands.
_UNDECIDED = re.compile(
    r"\?|\b(?:not\s(?:entirely\s|completely\s)?(?:sure|certain|clear)|unsure|uncertain|undecided"
    r"|(?:hard|difficult|impossible)\sto\s(?:say|tell|decide|choose|judge)"
    r"|can(?:\s?not|\st)\s(?:say|tell|decide|choose|judge|determine))\b",
    re.IGNORECASE,
)
# Where what is said before no longer belongs to the statement, and where what is said after does not.
_TURN_BEFORE = re.compile(
    r"[.;!?\n]|\b(?:so|therefore|thus|hence|but|because|since|however|while|whereas|although|though)\b",
    re.IGNORECASE,
)
_TURN_AFTER = re.compile(
    r"[.;!?,:\n]|\b(?:so|but|because|since|as|due|with|while|whereas|although|though|and|than|for)\b",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"(?:\b(?:but|though|although|yet|and)|,)\s(?:overall\s)?(?:not(?!\s(?:only|just|merely)\b)|never)\b",
    re.IGNORECASE,
)
_EXCEPT = re.compile(r"\b(?:but|however|although|though|yet|except)\b", re.IGNORECASE)
_IN_PART = re.compile(
    r"\s(?:only\b|(?:in|at|on|for|regarding)\s"
    r"(?!(?:all|every|each|both|most|general|total|overall|terms\sof\s(?:all|both|overall))\b))",
    re.IGNORECASE,
)
# "Image 1 / Image 2 is better" names both; only the form is that of a statement about the second.
_LISTED = re.compile(rf"\W*(?:the\s)?{SIDE}\s?(?:[/|,&]|and|vs\.?)\s?(?:the\s)?", re.IGNORECASE)
_NAMED_ONLY = re.compile(rf"\s*(?:the\s)?{SIDE}\s?\.?\s*", re.IGNORECASE)
_NAME = re.compile(
    rf"(?P<than>\b(?:than|to|over)\s(?:the\s)?)?(?:(?P<side>{SIDE})|(?P<other>{OTHER}))",
    re.IGNORECASE,
)
_SPACES = re.compile(r"[ \t]{2,}")
_SENTENCE_END = re.compile(r"[.!?;。！？；\n]")
_BOXED = re.compile(r"\\boxed\s?\{((?:[^{}\n]|\{[^{}\n]{0,80}\}){0,120})\}")
_LONGEST_SENTENCE = 400
_MOST_STATEMENTS = 16
# An untagged answer stands at the end of its text.
_LONGEST_ENDING = 100_000


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer as it was read; ``medium`` is what the text called it, where it said."""

    side: Preference
    medium: MediaKind | None


_PREFERENCES = (Preference.FIRST, Preference.SECOND)
_NUMBERS = {"1": 0, "one": 0, "first": 0, "a": 0, "2": 1, "two": 1, "second": 1, "b": 1}


def read_answer(content: str) -> Reading | None:
    """What an answer says; ``None`` when it does not clearly say one thing."""
    words = " ".join(_undressed(content[:_LONGEST_ANSWER]).split()).strip(" .!:;,-")
    if bare := _BARE.fullmatch(words):
        if bare["tie"]:
            return Reading(Preference.TIE, None)
        number = side_of(bare["side"]) if bare["side"] else _NUMBERS[bare["number"].casefold()]
        return Reading(_PREFERENCES[number], medium_of(words))
    if _UNDECIDED.search(words):
        return None
    agreed: Reading | None = None
    for count, statement in enumerate(_STATEMENT.finditer(words)):
        reading = _read(words, statement)
        if reading is None or count == _MOST_STATEMENTS:
            return None
        if agreed is not None and agreed.side is not reading.side:
            return None
        agreed = agreed or reading
    return agreed


def last_claims(text: str) -> tuple[str, ...]:
    """The words of an untagged ``text`` that state its answer, each for :func:`read_answer`.

    They are the last statement, with what its sentence says around it (back to the statement before,
    if that is nearer), the one before where both speak of a part only ("… in colour. … in detail."),
    and the last ``\\boxed{…}`` that names a side. A text that is no more than a side's name is one.
    """
    text = text[-_LONGEST_ENDING:]
    claims = [box[1] for box in _BOXED.finditer(text) if _NAME.search(plain(box[1]))][-1:]
    words = _SPACES.sub(" ", _undressed(text))
    if not claims and _NAMED_ONLY.fullmatch(words):
        return (words,)
    before: re.Match[str] | None = None
    last: re.Match[str] | None = None
    for match in _STATEMENT.finditer(words):
        before, last = last, match
    start = before.end() if before else 0
    if before and last and all(_IN_PART.match(words, match.end()) for match in (before, last)):
        claims.append(before[0])
    if last is not None:
        start = max(start, last.start() - _LONGEST_SENTENCE)
        for end in _SENTENCE_END.finditer(words, start, last.start()):
            start = end.end()
        stop = last.end() + _LONGEST_SENTENCE
        ending = _SENTENCE_END.search(words, last.end(), stop)
        claims.append(words[start : ending.end() if ending else stop])
    return tuple(claims)


def _undressed(text: str) -> str:
    return plain(text).translate(_DECORATION)


def _read(words: str, statement: re.Match[str]) -> Reading | None:
    """One statement; ``None`` where it is denied, doubted, or taken back by what follows it."""
    start = max(0, statement.start() - _LONGEST_SENTENCE)
    for turn in _TURN_BEFORE.finditer(words, start, statement.start()):
        start = turn.end()
    after = _TURN_AFTER.search(words, statement.end())
    said = words[start : after.start() if after else len(words)]
    ending = _SENTENCE_END.search(words, statement.end())
    rest = words[statement.end() : ending.start() if ending else len(words)]
    if _DENIED.search(said) or _DOUBTED.search(said) or _TAKEN_BACK.search(rest):
        return None
    if statement["tie"]:
        # "Equally good in detail, but …" is not the end of it.
        if _EXCEPT.search(words, statement.end()):
            return None
        return Reading(Preference.TIE, medium_of(statement[0]))
    name = statement["side"] or statement["picked"]
    if not name or _LISTED.fullmatch(words, start, statement.start()):
        return None
    side = side_of(name)
    if _IN_PART.match(words, statement.end()) and _turns_to(1 - side, words, statement.end()):
        return None
    return Reading(_PREFERENCES[side], medium_of(name))


def _turns_to(side: int, words: str, start: int) -> bool:
    """Does a verdict in part go on to the other side: "… in detail, but overall Image 2 …"?"""
    names = [name for name in _NAME.finditer(words, start) if not name["than"]]
    return any(name["other"] or side_of(name["side"]) == side for name in names)
