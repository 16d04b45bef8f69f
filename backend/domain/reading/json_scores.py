"""Scores that a judge wrote as a JSON object, in any nesting of dimensions and sides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backend.domain.json_text import is_too_deep
from backend.domain.reading.headings import HeadingKind, about, name_of
from backend.domain.reading.names import SIDE, side_of
from backend.domain.reading.words import PLAIN_SCORE

# A judge writes one object; trying every brace of a hostile text would take quadratic time.
_MOST_TRIES = 4
_MOST_VALUES = 256
_OPENING = re.compile(r"(?:^|```(?:json)?|:|=)\s{0,8}(?=[{\[]\s{0,40}[\"{])", re.IGNORECASE | re.MULTILINE)
_SIDE = re.compile(SIDE, re.IGNORECASE)
_SCORE = re.compile(rf"\s*({PLAIN_SCORE})\s*(?:/\s*[0-9]{{1,3}})?\s*")
_NAME_KEYS = ("dimension", "name", "criterion", "aspect", "category")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Stated:
    """One number of the object: a score in dimension ``name``, or a total where that is ``None``."""

    name: str | None
    side: int
    value: float
    shared: bool = False
    """It is one of two that share ten points."""


def json_scores(text: str) -> tuple[list[Stated], str]:
    """The numbers of the first object that states any, and ``text`` without it."""
    if "{" not in text:
        return [], text
    for tries, opening in enumerate(_OPENING.finditer(text)):
        if tries == _MOST_TRIES:
            break
        try:
            value, end = _DECODER.raw_decode(text, opening.end())
        except (ValueError, RecursionError):
            continue
        stated = []
        for number in () if is_too_deep(value) else _walk(value, ()):
            stated.append(number)
            if len(stated) == _MOST_VALUES:
                break
        if stated:
            return stated, f"{text[: opening.start()]}\n{text[end:]}"
    return [], text


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[Stated]:
    if len(path) > 8:
        return
    if isinstance(value, dict):
        names = [value[key] for key in _NAME_KEYS if isinstance(value.get(key), str)]
        if names and "score_1" in value and "score_2" in value:
            for side, key in enumerate(("score_1", "score_2")):
                if (number := _number(value[key])) is not None:
                    yield Stated(name_of(names[0]), side, number, shared=True)
            return
        for key, inner in value.items():
            if key not in _NAME_KEYS:
                yield from _walk(inner, (*path, *names[:1], key))
    elif isinstance(value, list):
        if len(value) == 2 and all(_number(inner) is not None for inner in value):
            for side, inner in enumerate(value):
                yield from _stated((*path, f"image {side + 1}"), inner)
            return
        for inner in value:
            yield from _walk(inner, path)
    else:
        yield from _stated(path, value)


def _stated(path: tuple[str, ...], value: Any) -> Iterator[Stated]:
    number = _number(value)
    if number is None:
        return
    sides: set[int] = set()
    names = []
    for key in path:
        words = key.replace("_", " ")
        sides.update(side_of(name) for name in _SIDE.findall(words))
        name = name_of(_SIDE.sub(" ", words))
        if name and about(name) is not HeadingKind.GENERIC:
            names.append(name)
    if len(sides) != 1 or not names:
        return
    kind = about(names[-1])
    if kind is not HeadingKind.NOTHING:
        yield Stated(None if kind in (HeadingKind.TOTAL, HeadingKind.OVERALL) else names[-1], sides.pop(), number)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and (match := _SCORE.fullmatch(value)):
        return float(match[1])
    if isinstance(value, int | float) and abs(value) < 10_000:
        return float(value)
    return None
