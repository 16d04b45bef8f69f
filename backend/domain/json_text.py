"""JSON by orjson, several times as fast as the standard library, for files of a million rows.

The standard library takes over where orjson is not installed (a worker may run in an interpreter of
its own) and for what it refuses: NaN, half surrogate pairs, numbers of any length.

What is nested deeper than :data:`DEEPEST` is refused as what is no JSON at all: the parsers, the database
and everything that walks a value would each end at a depth of their own, with an error of their own.
"""

from __future__ import annotations

import json
from typing import Any

from backend.foreign_text import quoted

try:
    import orjson
except ImportError:  # pragma: no cover - in an engine's own interpreter
    orjson = None  # type: ignore[assignment]

DEEPEST = 100
"""How deep lists and objects may stand in each other; what people and programs write has ten levels."""

# json.dumps would build an encoder for every row.
_encode = json.JSONEncoder(ensure_ascii=False).encode


def load_json(text: str | bytes, *, unique: bool = False) -> Any:
    """As ``json.loads``, with one kind of error.

    Args:
        unique: Refuse an object that names a key twice, of which the last would win silently.

    Raises:
        json.JSONDecodeError: The text is no JSON, is nested too deeply, holds a number of too many
            digits, or bytes that are no UTF-8.
    """
    value = _parsed(text, unique)
    # Few texts have so many brackets at all; most of those have them in a row, or in a string.
    if _brackets(text) > DEEPEST and is_too_deep(value):
        raise _refused("nested too deeply")
    return value


def _parsed(text: str | bytes, unique: bool) -> Any:
    if orjson is not None and not unique:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
    try:
        return json.loads(text, object_pairs_hook=_unique if unique else None)
    except RecursionError:
        raise _refused("nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        # Of `int`, which refuses thousands of digits, or of the decoding of the bytes.
        kind = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "a number is too long"
        raise _refused(kind) from error


def is_too_deep(value: Any) -> bool:
    """Whether lists and objects stand in each other deeper than :data:`DEEPEST`."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for held in level
            if isinstance(held, dict | list)
            for inner in (held.values() if isinstance(held, dict) else held)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _brackets(text: str | bytes) -> int:
    if isinstance(text, str):
        return text.count("[") + text.count("{")
    return text.count(b"[") + text.count(b"{")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise _refused(f"{quoted(twice, 80)} is given twice")
    return found


def _refused(reason: str) -> json.JSONDecodeError:
    return json.JSONDecodeError(reason, "", 0)


def dump_json(value: Any) -> bytes:
    """One line of UTF-8; what is no text is written as the bytes that it was read from."""
    if orjson is not None:
        try:
            return orjson.dumps(value)
        except TypeError:
            pass
    return _encode(value).encode("utf-8", "surrogateescape")
