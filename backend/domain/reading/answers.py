"""What a judge's answer says: one side, a tie, or nothing that is sure.

A text is read by its *statements*, which the rules of :mod:`~backend.domain.reading.rules` find: "Image
1 is better", "I prefer the second video", "both are equally good". What stands around a statement
qualifies it: it may be denied ("not"), doubted ("maybe", "if", "?"), or said of a part ("in colour",
"the light of"). One side is read where a statement for it stands unqualified and none stands for the
other. What says less than that is unreadable, which is not the same as wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.domain.pairs import MediaKind, Preference
from backend.domain.reading.names import medium_of
from backend.domain.reading.plain import undressed
from backend.domain.reading.rules import RULES, Rule, Says
from backend.domain.reading.statement_words import Words, words_of

# An answer is a few words; what is longer is an essay in a tag, of which the first words count.
LONGEST_ANSWER = 2000
PREFERENCES = (Preference.FIRST, Preference.SECOND)

# "Compared to Image 2", "than the dog of the first image", "prefer … to Image 2", "与图2相比": what is
# compared with. "图1和图2相比，" names both before its sentence begins.
_OBJECTS = (
    re.compile(r"SjSv(?=,)|jSv"),
    re.compile(r"(?:c|v(?=S))[axfqshzyi]{0,4}S(?:s[xhz]{0,2}(?![iB]))?"),
    re.compile(r"(?:(?<=[BV])|(?<=p[Sz])|(?<=p[ah]S))l[axh]{0,2}S"),
    # "Image 1, not Image 2, is better"; "…, not Image 2."
    re.compile(r"(?<=S),?na?S(?=,?[ih])|(?<=[BbVySh]),na?S(?=$|[.,])"),
)
_CLAUSE = re.compile(r"[.?ktr]")
_CLAUSE_OR_COMMA = re.compile(r"[.?ktr]|(?<![SzyO]),")
_LISTED = re.compile(r"S[zy]?,?[,jd]a?$")
_IN_DETAIL = re.compile(r"[fq][ah]{0,2}$")
_OF_THE_WHOLE = re.compile(r"(?<![on])[aAh]{0,3}z[fq]a?$")
_RESPECT_BEFORE = re.compile(r"q(?!.*[Az])|o|x[xjhqfa#]{0,6}:")
_RESPECT_BEHIND = re.compile(r"C?h{0,3}(?:o|q{1,2}(?!a?[Az]))|,h?o")
# "Image 2 is better in no way", "Image 2 is better is false".
_DENIED_BEHIND = re.compile(r"C?h{0,3}q{1,2}a?n")
_SPOKEN_OF = re.compile(r"C?i(?!r)")
_TAKEN_BACK = re.compile(r"[,.]?k?h?n(?:[.,A]|$)")
# How far around a statement its qualifications stand, in tokens.
_REACH = 80


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text, as a rule read it.

    Attributes:
        side: 0 or 1; ``None`` for a tie.
        rule: The name of the rule.
        words: As the text has them.
    """

    says: Says
    side: int | None
    rule: str
    words: str
    medium: MediaKind | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer as it was read.

    Attributes:
        medium: What the text called it, where it said.
        rule: The name of what read it.
        single: Nothing else is said of either side.
    """

    side: Preference
    medium: MediaKind | None
    rule: str
    single: bool = True


def statements_of(text: str) -> list[Statement]:
    """Every statement of ``text`` about a side, or both, in its order."""
    return _statements(words_of(undressed(text)))


def agreed(statements: Sequence[Statement], *, alone: bool) -> Reading | None:
    """What ``statements`` say together; ``None`` where they are not clear.

    Args:
        alone: They are all of an answer's tag, where "Image 2 is better in detail" is a choice all the
            same, if nothing is said of the other one.
    """
    if any(statement.says is Says.DOUBT for statement in statements):
        return None
    said = {says: [s for s in statements if s.says is says] for says in Says}
    sides = {statement.side for statement in said[Says.FOR]}
    ties = said[Says.TIE]
    if len(sides) + bool(ties) > 1:
        return None
    if ties:
        return Reading(Preference.TIE, ties[0].medium, ties[0].rule, len(statements) == len(ties))
    if not sides and alone and len({s.side for s in statements}) == 1:
        sides = {statement.side for statement in said[Says.IN_PART]}
        said[Says.FOR] = said[Says.IN_PART]
    if len(sides) != 1:
        return None
    side = sides.pop()
    if side is None or any(statement.side == side for statement in said[Says.AGAINST]):
        return None
    medium = next((s.medium for s in said[Says.FOR] if s.medium), None)
    single = len(statements) == len(said[Says.FOR])
    return Reading(PREFERENCES[side], medium, said[Says.FOR][-1].rule, single)


def _statements(words: Words) -> list[Statement]:
    words = _without_objects(words)
    letters = words.letters
    found: list[Statement] = []
    place = 0
    for match, rule in _matches(letters):
        statement = _qualified(words, place, match, rule)
        place = match.end()
        if statement is not None:
            found.append(statement)
    if found and ("D" in letters or _TAKEN_BACK.match(letters, place)):
        found.append(Statement(Says.DOUBT, None, "taken back", words.text[-80:]))
    elif (
        found
        and all(statement.says is Says.IN_PART for statement in found)
        and ("O" in letters or len(set(words.sides.values())) > 1)
    ):
        # "Image 1 is better in detail and Image 2 in colour."
        found.append(Statement(Says.DOUBT, None, "both sides named", words.text[-80:]))
    return found


def _without_objects(words: Words) -> Words:
    """``words`` with one token ``C`` for each name that something is compared with."""
    letters = words.letters
    for pattern in _OBJECTS:
        letters = pattern.sub(lambda match: "C" + "_" * (len(match[0]) - 1), letters)
    if "_" not in letters:
        return words._replace(letters=letters)
    kept = [place for place, letter in enumerate(letters) if letter != "_"]
    return Words(
        words.text,
        "".join(letters[place] for place in kept),
        [words.spans[place] for place in kept],
        {new: words.sides[old] for new, old in enumerate(kept) if letters[old] == "S"},
        {new: words.media[old] for new, old in enumerate(kept) if letters[old] == "S"},
    )


def _matches(letters: str) -> Iterator[tuple[re.Match[str], Rule]]:
    """The rules that match, from left to right, none inside another."""
    found = [
        (match.start(), order, match, rule)
        for order, rule in enumerate(RULES)
        for match in rule.pattern.finditer(letters)
    ]
    end = 0
    for start, _, match, rule in sorted(found, key=lambda item: item[:2]):
        if start >= end:
            yield match, rule
            end = match.end()


def _qualified(words: Words, place: int, match: re.Match[str], rule: Rule) -> Statement | None:
    """A statement with what stands around it; ``None`` where that leaves nothing said."""
    letters, (start, end) = words.letters, match.span()
    at = match.start("side") if "side" in match.re.groupindex else None
    before = _clause_before(letters, place, start)
    inside, behind = match[0], letters[end : end + _REACH]
    sentence = re.match(r"[^.?]*", behind)[0]  # type: ignore[index]
    says = rule.says
    denied = "n" in before or "n" in inside or bool(_DENIED_BEHIND.match(behind))
    if (
        "d" in before
        or "d" in inside
        or re.match(r"[^.?ktr,]*d|,d(?:$|[.,])", behind)
        or _SPOKEN_OF.match(behind)
        or behind[len(sentence) :].startswith("?")
        or (at == start and _is_listed(words, at))
    ):
        says = Says.DOUBT
    elif at == start and _IN_DETAIL.search(before) and not _OF_THE_WHOLE.search(before):
        says = Says.DETAIL
    elif _is_in_part(before, inside, behind):
        if denied or says is not Says.FOR:
            return None
        says = Says.IN_PART
    elif says is Says.TIE and (denied or "k" in sentence):
        says = Says.AGAINST if denied else Says.DOUBT
    elif denied:
        if says is not Says.FOR:
            return None
        says = Says.AGAINST
    first, last = words.spans[start][0], words.spans[end - 1][1]
    side = None if at is None else words.sides[at]
    medium = None if at is None else words.media[at]
    if at is None:
        medium = medium_of(words.text[first:last])
    return Statement(says, side, rule.name, words.text[first:last], medium)


def _clause_before(letters: str, place: int, end: int) -> str:
    """What is said before ``end`` in the same clause, and behind the statement that ends at ``place``."""
    start = max(place, end - _REACH)
    for turn in _CLAUSE.finditer(letters, start, end):
        start = turn.end()
    clause = letters[start:end]
    head, comma, tail = clause.rpartition(",")
    # "It has no dog, Image 1 is better" is one thought; "Image 2 has no dog, Image 1 …" are two.
    two = "S" in head or "2" in head or start == place > 0
    return tail if comma and two else clause


def _is_in_part(before: str, inside: str, behind: str) -> bool:
    if _RESPECT_BEFORE.search(before) or _RESPECT_BEHIND.match(behind):
        return True
    # "Better lit", "the better composed image".
    return inside.endswith("B") and behind.startswith("x")


def _is_listed(words: Words, at: int) -> bool:
    """Is the side at ``at`` perhaps not what its verb speaks of: "Image 1 / Image 2 is better", "Image 1
    followed by Image 2 is better"?"""
    start = max(0, at - _REACH)
    for turn in _CLAUSE_OR_COMMA.finditer(words.letters, start, at):
        start = turn.end()
    named = {words.sides[place] for place in range(start, at) if words.letters[place] == "S"}
    if not named or words.sides[at] in named:
        return False
    before = words.letters[start:at]
    return bool(_LISTED.search(before)) or "j" not in before
