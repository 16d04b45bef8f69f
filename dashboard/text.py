"""Text that somebody else wrote, shown as text and nothing else.

Captions, reasoning, notes, file and model names come from models, datasets and people. Streamlit's
labels and markdown would interpret some of it; these functions take that away.
"""

from __future__ import annotations

import re
import unicodedata

import streamlit as st

MAX_SHOWN = 20_000
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=\"'])")
# What markdown makes links of even when its marks are escaped: it looks for addresses in what is left.
_ADDRESS = re.compile(r"https?:(?=//)|www(?=\.)", re.IGNORECASE)
_JOINER = "\u2060"  # no width, and no break in a line
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# Marks that reorder what stands around them (Trojan Source, CVE-2021-42574).
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: object, limit: int = 300) -> str:
    """One line for labels, tooltips and charts: no control or direction marks, cut at ``limit``."""
    line = " ".join(visible(str(text)[: limit * 4]).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def md(text: object, limit: int = 300) -> str:
    """:func:`clean`, with everything escaped that Streamlit's markdown would interpret.

    A web address in it stays text: what would make it a link is parted by a mark without width. Not so
    an e-mail address: that is a reviewer's name, and is copied into filters and settings.
    """
    parted = _ADDRESS.sub(rf"\g<0>{_JOINER}", clean(text, limit))
    return _MARKDOWN.sub(r"\\\1", parted)


def visible(text: str) -> str:
    """Control and direction marks made visible as a replacement character; ANSI codes dropped."""
    text = _ANSI.sub("", text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    if character in _BIDI or unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn"):
        return "\ufffd"
    return character


def plain(text: str, *, limit: int = MAX_SHOWN) -> None:
    """Show a text of any length as it is, in the body font, wrapped; a long one is cut and says so."""
    st.text(visible(text[:limit]))
    if len(text) > limit:
        st.caption(f"cut here: {len(text) - limit:,} more characters")
