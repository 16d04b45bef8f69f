"""Words of others (servers, models, files) in our own messages."""

from __future__ import annotations

QUOTED = 200
"""Characters of foreign text that a message holds at most."""


def quoted(text: object, *, without: str | None = None) -> str:
    """Foreign words on one line, cut, and of characters that every store and terminal takes.

    Args:
        without: A secret that may stand in them; it is left out.
    """
    # Cut before anything is done with it too: it may be megabytes.
    words = str(text)[: 20 * QUOTED]
    if without:
        words = words.replace(without, "***")
    plain = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return plain if len(plain) <= QUOTED else f"{plain[: QUOTED - 1]}…"
