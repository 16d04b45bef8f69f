"""A judge's words without their dress: full-width characters, quotation marks, LaTeX.

Line breaks and asterisks stay: where a line starts, and that it is bold, means something.
"""

from __future__ import annotations

import re

_CHARS = str.maketrans(
    "：（）；，。／｜＝→＋？！０１２３４５６７８９【】\u00a0\u202f\u2005",
    ":();,./|==+?!0123456789[]   ",
    '`"“”$',
)
_FRACTION = re.compile(r"\\[dt]?frac\s?\{\s?([0-9.]{1,6})\s?\}\s?\{\s?([0-9.]{1,6})\s?\}")
_COMMAND = re.compile(
    r"\\(?:boxed|fbox|text|textbf|textit|mathbf|mathrm|mathit)\s?\{([^{}]{0,400})\}"
)
_SPACE = re.compile(r"\\(?:quad|qquad|times(?![a-z])|[()\[\],;! ])")


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
