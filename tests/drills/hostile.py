"""Hostile values and mutations of good ones, drawn by a seeded generator."""

from __future__ import annotations

import json
import math
import random
from typing import Any

from tests.workspaces import HOSTILE

TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "1e9",
    "99999999999999999999",
    "nan",
    "inf",
    "true",
    "null",
    "'",
    '"',
    "\\",
    "../../../etc/passwd",
    "/etc/passwd",
    "/dev/zero",
    "~nobody",
    "C:\\",
    "a" * 300,
    "x" * 70_000,
    "a\nb",
    "-",
    "--",
    "-x",
    "@",
    "%s%n{0}{x}",
    "$(id)",
    "`id`",
    "; id",
    "=1+1",
    "\u202etxt.exe",
    "\u200b",
    "\u2028",
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\x9b2J",
    "\udc80",
    "\ud800",
    "\ufeff",
    "\u56fe1",
    "<answer>Image 1 is better</answer>",
    "<image>",
    "<|im_end|>",
    "first",
    "second",
    "tie",
    "dataset",
    "swapped",
    "accept",
    "http://user:secret@127.0.0.1:1/v1",
    "http://[::1",
    "sqlite:////etc/passwd",
    "file:///etc/passwd",
    *(text for text in HOSTILE if "\x00" not in text),
)
"""What a person could type, paste or be sent; none of them holds a NUL, which no argument can."""


def text(rng: random.Random) -> str:
    """A hostile text; one in ten is random characters of all planes."""
    if rng.random() < 0.1:
        return "".join(
            chr(rng.choice((rng.randrange(1, 0x500), rng.randrange(0xE000, 0x110000))))
            for _ in range(rng.randrange(1, 40))
        )
    return rng.choice(TEXTS)


def value(rng: random.Random, depth: int = 0) -> Any:
    """A hostile JSON value."""
    kind = rng.randrange(8 if depth < 2 else 6)
    if kind == 0:
        return rng.choice((None, True, False))
    if kind == 1:
        return rng.choice((-1, 0, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 10**400))
    if kind == 2:
        return rng.choice((0.5, -0.0, 1e308, math.inf, -math.inf, math.nan))
    if kind == 3:
        return text(rng) + rng.choice(("", "\x00"))
    if kind in (4, 5):
        return text(rng)
    if kind == 6:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {text(rng): value(rng, depth + 1) for _ in range(rng.randrange(4))}


def other(rng: random.Random, row: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """The row with one to three changes: a value, a key that is gone, new or another."""
    row = json.loads(json.dumps(row)) if depth == 0 else row
    for _ in range(rng.randrange(1, 4)):
        name = rng.choice([*row, text(rng)])
        kind = rng.randrange(4)
        if kind == 0:
            row.pop(name, None)
        elif kind == 1 and isinstance(row.get(name), dict):
            other(rng, row[name], depth + 1)
        elif kind == 1 and isinstance(row.get(name), list) and row[name]:
            row[name][rng.randrange(len(row[name]))] = value(rng)
        else:
            row[name] = value(rng)
    return row


def dumped(rng: random.Random, made: Any) -> bytes:
    """As JSON, now and then with NaN, Infinity, raw UTF-8 or half surrogate pairs in it."""
    return json.dumps(made, ensure_ascii=rng.random() < 0.7).encode("utf-8", "surrogatepass")


def mutated(rng: random.Random, data: bytes) -> bytes:
    """The bytes with a cut, flips, an insertion, another encoding, or JSON without a bottom."""
    kind = rng.randrange(8)
    place = rng.randrange(len(data) + 1)
    if kind == 0:
        return data[:place]
    if kind == 1:
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 9)):
            if changed:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)
    if kind == 2:
        return data[:place] + rng.randbytes(rng.randrange(1, 20)) + data[place:]
    if kind == 3:
        return data[:place] + data[rng.randrange(len(data) + 1) :]
    if kind == 4:
        return rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"PAR1", b"\x00")) + data
    if kind == 5:
        return data.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-32")))
    if kind == 6:
        opened = rng.choice((b"[", b'{"a":', b'[{"prompt":'))
        return data[:place] + opened * rng.choice((50, 2_000, 100_000)) + data[place:]
    return data[:place] + rng.choice((b"9" * 5_000, b"NaN", b"\r", b"\n\n")) + data[place:]
