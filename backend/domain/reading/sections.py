"""A judge's text taken apart: its reasoning, its answer tags, and what stands outside both.

Every quantifier here is bounded, so that no text, however hostile, takes more than linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# As the models write them: Qwen, DeepSeek and GLM "<think>", Kimi "◁think▷", Mistral "[THINK]".
THINK = re.compile(
    r"[<＜◁]\s{0,4}([/／]?)\s{0,4}(?:think(?:ing)?|thoughts?|reasoning)\s{0,4}[>＞▷]|\[(/?)THINK\]", re.IGNORECASE
)
ANSWER = re.compile(r"[<＜]\s{0,4}([/／]?)\s{0,4}answer\s{0,4}[>＞]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sections:
    """A text taken apart.

    Attributes:
        reasoning: Inside the reasoning's tags; without any, the text without its answer tags.
        outside: What is neither reasoning in tags nor an answer tag.
        marked: The reasoning is marked, be it by its closing tag alone: many chat templates write
            the opening one into the prompt.
        closed: Every opening tag has its closing one.
        answers: What stands inside each answer tag: of those behind the reasoning, or else of those
            quoted in it.
        unsure: What stands between two opening answer tags: an answer only where it can be read.
    """

    reasoning: str
    outside: str
    marked: bool
    closed: bool
    answers: tuple[str, ...]
    unsure: tuple[str, ...] = ()


def take_apart(text: str) -> Sections:
    """Find reasoning and answers in ``text``, wherever a model put them."""
    return _take_plain(text) or _take_any(text)


def _take_plain(text: str) -> Sections | None:
    """The one form that nearly all texts have: both tags, once, and nothing else that opens one."""
    if not text.startswith("<think>") or text.count("<") != 4:
        return None
    close = text.find("</think>")
    start = text.find("<answer>", close)
    end = text.find("</answer>", start)
    if not 0 < close < start < end or not text[start + 8 : end].strip():
        return None
    if "＜" in text or "◁" in text or "THINK]" in text.upper():
        return None
    return Sections(
        reasoning=text[7:close].strip(),
        outside=f"\n{text[close + 8 : start]}\n{text[end + 9 :]}",
        marked=True,
        closed=True,
        answers=(text[start + 8 : end],),
    )


def _take_any(text: str) -> Sections:
    thoughts: list[str] = []
    rest: list[str] = []
    start: int | None = None
    end = 0
    marked = False
    for tag in THINK.finditer(text):
        if tag[1] or tag[2]:
            if start is None and not marked:
                # It begins inside the reasoning, and up to its last closing tag it goes on.
                thoughts.append("".join([*rest, text[end : tag.start()]]))
                rest.clear()
            else:
                thoughts.append(text[end if start is None else start : tag.start()])
            start = None
            marked = True
        elif start is None:
            rest.append(text[end : tag.start()])
            start = tag.end()
            marked = True
        else:
            continue
        end = tag.end()
    closed = start is None
    if start is None:
        rest.append(text[end:])
    else:
        thoughts.append(text[start:])
    answers, unsure, outside = _answers("\n".join(rest))
    if not any(map(str.strip, (*answers, *unsure))):
        quoted, unsure, without = _answers("\n".join(thoughts))
        answers = quoted or answers
        if not closed:
            thoughts = [without]
    reasoning = "\n".join(filter(None, (thought.strip() for thought in thoughts)))
    return Sections(
        reasoning=reasoning if thoughts else outside.strip(),
        outside=outside,
        marked=marked,
        closed=closed,
        answers=tuple(answer for answer in answers if answer.strip()) or answers[:1],
        unsure=unsure,
    )


def _answers(text: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """What the answer tags of ``text`` hold, what stands between two opening ones, and the rest."""
    contents: list[str] = []
    unsure: list[str] = []
    kept: list[str] = []
    start: re.Match[str] | None = None
    end = 0
    for tag in ANSWER.finditer(text):
        if not tag[1]:
            if start is not None and text[start.end() : tag.start()].strip():
                unsure.append(text[start.end() : tag.start()])
            start = tag
        elif start is not None:
            contents.append(text[start.end() : tag.start()])
            kept.append(text[end : start.start()])
            end = tag.end()
            start = None
    if start is not None and not contents:
        # The model stopped before "</answer>": its words may be whole all the same.
        if not unsure or text[start.end() :].strip():
            contents.append(text[start.end() :])
        kept.append(text[end : start.start()])
        end = len(text)
    kept.append(text[end:])
    return tuple(contents), tuple(unsure), "\n".join(kept)
