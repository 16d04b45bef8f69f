"""A judge's words without their dress: full-width characters, invisible ones, quotation marks, LaTeX.

Line breaks and asterisks stay: where a line starts, and that it is bold, means something.
"""

from __future__ import annotations

import re

_CHARS: dict[int, int | str | None] = {}
_CHARS |= str.maketrans(
    "：（）；，。／｜＝→＋？！＞＜０１２３４５６７８９【】",
    ":();,./|==+?!><0123456789[]",
    # Quotation marks; then what has no width: zero-width spaces and joiners, direction marks.
    '`"“”$' + "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff",
)
_CHARS.update(dict.fromkeys(map(ord, "\u00a0\u1680\u202f\u205f\u3000"), " "))
_CHARS.update(dict.fromkeys(range(0x2000, 0x200B), " "))
_FRACTION = re.compile(r"\\[dt]?frac\s?\{\s?([0-9.]{1,6})\s?\}\s?\{\s?([0-9.]{1,6})\s?\}")
_COMMAND = re.compile(r"\\(?:boxed|fbox|text|textbf|textit|mathbf|mathrm|mathit)\s?\{([^{}]{0,400})\}")
_SPACE = re.compile(r"\\(?:quad|qquad|times(?![a-z])|[()\[\],;! ])")
_SPECIAL = re.compile(r"<\|[a-z_]{1,24}\|>|</?[a-z_]{1,24}>", re.IGNORECASE)


def plain(text: str) -> str:
    """``text`` as it would have been typed on a plain keyboard."""
    text = text.translate(_CHARS)
    if "\\" not in text:
        return text
    text = text.replace("\\/", "/")
    text = _FRACTION.sub(r"\1/\2", text)
    for _ in range(3):  # \boxed{\text{\textbf{Image 1}}}
        text, changed = _COMMAND.subn(r" \1 ", text)
        if not changed:
            break
    return _SPACE.sub(" ", text)


def undressed(text: str) -> str:
    """``text`` plain, without emphasis, brackets tags and a model's special tokens: words alone."""
    if "<" in text:
        text = _SPECIAL.sub(" ", text)
    return plain(text).translate(_DECORATION)


_DECORATION = str.maketrans(dict.fromkeys("*_`\"'“”‘’#[]{}()", " "))
