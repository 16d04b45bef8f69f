"""A judge's text taken apart: its reasoning, its answer tags, and what stands outside both.

Every quantifier here is bounded, so that no text, however hostile, takes more than linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_THINK = re.compile(r"<\s{0,4}(/?)\s{0,4}think\s{0,4}>", re.IGNORECASE)
_ANSWER = re.compile(r"<\s{0,4}(/?)\s{0,4}answer\s{0,4}>", re.IGNORECASE)


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
