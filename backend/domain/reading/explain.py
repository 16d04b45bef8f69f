"""Which rule read what in a judge's text, for who doubts a reading."""

from __future__ import annotations

from typing import NamedTuple

from backend.domain.reading.answers import Reading, statements_of
from backend.domain.reading.rules import Says
from backend.domain.reading.scores import read_scores
from backend.domain.reading.sections import take_apart
from backend.domain.reading.texts import read_tag, read_untagged

_LONGEST_WORDS = 160
_SAYS = {
    Says.FOR: "for {}",
    Says.AGAINST: "against {}",
    Says.IN_PART: "for {}, in part",
    Says.DETAIL: "for a detail of {}",
    Says.TIE: "tie",
    Says.DOUBT: "doubted",
}
_MOST_STEPS = 64


class Step(NamedTuple):
    """One thing that was read.

    Attributes:
        what: "answer", "statement", or a dimension's name.
        rule: The name of the rule that read it.
        result: What it says.
        words: The words that it was read in, cut to a line.
    """

    what: str
    rule: str
    result: str
    words: str


def explain(text: str) -> list[Step]:
    """The steps by which :func:`~backend.domain.reading.verdict.parse_verdict` reads ``text``."""
    parts = take_apart(text)
    tags = [*dict.fromkeys(parts.answers), *dict.fromkeys(parts.unsure)]
    steps: list[Step] = []
    for content in tags:
        steps.append(_answer("answer", read_tag(content), content))
    if not tags:
        reading = read_untagged(parts.outside).reading
        steps.append(_answer("untagged answer", reading, parts.outside[-_LONGEST_WORDS:]))
    for content in tags or [parts.outside]:
        for statement in statements_of(content):
            side = "" if statement.side is None else ("the first", "the second")[statement.side]
            says = _SAYS[statement.says].format(side)
            steps.append(Step("statement", statement.rule, says, statement.words))
    for name, rule, words in read_scores(parts.reasoning).rules:
        steps.append(Step(name, rule, "score", words))
    return [
        step._replace(words=" ".join(step.words[: _LONGEST_WORDS * 2].split())[:_LONGEST_WORDS])
        for step in steps[:_MOST_STEPS]
    ]


def _answer(what: str, reading: Reading | None, words: str) -> Step:
    if reading is None:
        return Step(what, "none", "unreadable", words)
    return Step(what, reading.rule, reading.side.value, words)
