"""Writes the tables of README.md and docs/ that list what is registered, from what is registered.

Usage: ``make docs``. A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from backend.datasets.registry import SOURCES
from backend.engines.registry import ENGINES
from backend.export.formats import FORMATS
from backend.extensions import Registry

ROOT = Path(__file__).resolve().parents[1]
_PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def sources() -> str:
    """Each source with its file and which side is the better one."""
    rows = (
        (f"`{one.name}`", one.file, one.preference, "shuffled" if one.winner_first else "as in the file")
        for one in _ours(SOURCES)
    )
    return _table(("source", "file", "preference", "shown by default"), rows)


def formats() -> str:
    """Each format with who reads it."""
    rows = ((f"`{one.name}`", one.purpose, ", ".join(one.programs) or "any script") for one in _ours(FORMATS))
    return _table(("format", "what it is", "read by"), rows)


def engines() -> str:
    """Each engine with what it does."""
    return _table(("engine", "what it does"), ((f"`{one.name}`", one.purpose) for one in _ours(ENGINES)))


TABLES: dict[str, Callable[[], str]] = {"sources": sources, "formats": formats, "engines": engines}


def pages() -> list[Path]:
    """The pages that may hold tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def written(text: str) -> str:
    """A page with its tables as they have to be."""
    return _PLACE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", text)


def _ours(registry: Registry[Any]) -> Iterable[Any]:
    """Those of this repository, whatever else is installed here."""
    return registry.own


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = written(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"wrote the tables of {page.relative_to(ROOT)}")
