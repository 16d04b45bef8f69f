"""JSON by orjson, several times as fast as the standard library, for files of a million rows.

The standard library takes over where orjson is not installed (a worker may run in an interpreter of
its own) and for what it refuses: NaN, half surrogate pairs, numbers of any length.
"""

from __future__ import annotations

import json
from typing import Any

try:
    import orjson
except ImportError:  # pragma: no cover - in an engine's own interpreter
    orjson = None  # type: ignore[assignment]

# json.dumps would build an encoder for every row.
_encode = json.JSONEncoder(ensure_ascii=False).encode


def load_json(text: str | bytes) -> Any:
    """As ``json.loads``, with its errors.

    Raises:
        json.JSONDecodeError: The text is no JSON.
    """
    if orjson is not None:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
    return json.loads(text)


def dump_json(value: Any) -> bytes:
    """One line of UTF-8; what is no text is written as the bytes that it was read from."""
    if orjson is not None:
        try:
            return orjson.dumps(value)
        except TypeError:
            pass
    return _encode(value).encode("utf-8", "surrogateescape")
