"""Text that somebody else wrote, made fit for a terminal and for a message.

Captions, answers, notes, names, paths and what programs print come from models, data sets, people and
files. On a terminal some of their characters act: ESC starts colours, titles, links and clipboard
writes; direction marks reorder what stands around them (Trojan Source, CVE-2021-42574); others are drawn
as nothing and hide a part of a name. Here each of them becomes its escape, so that it is seen and does
nothing. All functions leave their own results as they are.
"""

from __future__ import annotations

import re
import unicodedata

QUOTED = 200
"""Characters that a message quotes of one foreign text."""

# Everything but the ranges that hold nothing to look at; those are what most texts are made of.
_LOOKED_AT = re.compile(
    "[^\n\t -~\xa1-\xac\xae-\u0233\u0400-\u0482\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]"
)
# Letters, marks and signs by their category, and drawn as nothing or as a space all the same.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_JOINERS = frozenset("\u200b\u200c\u200d")
# Format characters that are drawn: number signs of Arabic, Syriac and Kaithi.
_DRAWN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_LAST_WITHOUT_JOINERS = "\u0590"  # behind Latin, Greek, Cyrillic and Armenian
_BREAKS = re.compile(r"[ \t]*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]\s*|\t")


def visible(text: str) -> str:
    r"""``text`` with every character that acts or hides as its escape: ``\x1b``, ``\u202e``.

    Newlines and tabs stay, and so do the joiners and zero-width spaces that scripts and emoji are
    written with: directly behind a letter, mark or sign that is not Latin, Greek or Cyrillic.
    """
    if text.isascii() and text.isprintable():
        return text
    return _LOOKED_AT.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    if character in _JOINERS:
        before = match.string[match.start() - 1] if match.start() else ""
        if before > _LAST_WITHOUT_JOINERS and before not in _BLANK and unicodedata.category(before)[0] in "LMNS":
            return character
    elif character in _DRAWN or (
        character not in _BLANK and (character.isprintable() or unicodedata.category(character) == "Zs")
    ):
        return character
    return character.encode("unicode_escape").decode()


def one_line(text: str, limit: int) -> str:
    """:func:`visible` on one line, of ``limit`` characters at most."""
    # What is far behind the limit is dropped first: a text may have gigabytes.
    line = _BREAKS.sub(" ", shortened(text, 4 * limit)).strip()
    return shortened(visible(line), limit)


def shortened(text: str, limit: int) -> str:
    """``text`` with an ellipsis for its middle where it is longer than ``limit`` characters: how it
    begins and how it ends tell one name, path or error from another."""
    if len(text) <= limit:
        return text
    end = (limit - 1) // 3
    return f"{text[: limit - 1 - end]}…{text[len(text) - end :]}"


def quoted(value: object, limit: int = QUOTED) -> str:
    """A foreign value for a message: a text in quotes, anything else as Python writes it."""
    if isinstance(value, str):
        return shortened(visible(repr(shortened(value, limit))), limit + 2)
    return one_line(repr(value), limit)


def brief(value: object, limit: int = QUOTED) -> str:
    """:func:`quoted` without the quotes: for another error's words, a list of names, a path."""
    return one_line(str(value), limit)
