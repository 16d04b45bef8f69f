"""Which dataset formats there are, and how a dataset is named: ``SOURCE:PATH[,SOURCE:PATH…]``."""

from __future__ import annotations

from pathlib import Path

from backend.datasets.base import BrokenRow, Source, SourceRow
from backend.datasets.hpdv3 import HPDv3
from backend.datasets.imagegen_cot_reward import ImageGenCoTReward
from backend.datasets.pairs import Pairs
from backend.datasets.rapidata import I2V_FOLDERS, Rapidata
from backend.errors import DatasetError
from backend.foreign_text import quoted

__all__ = ["SOURCES", "BrokenRow", "Source", "SourceRow", "parse_spec"]

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        HPDv3(),
        Rapidata("rapidata-t2v"),
        Rapidata("rapidata-i2v", I2V_FOLDERS),
        ImageGenCoTReward(),
        Pairs(),
    )
}


def parse_spec(spec: str) -> list[tuple[Source, Path]]:
    """Split ``SOURCE:PATH[,SOURCE:PATH…]``; every path is made absolute.

    Raises:
        DatasetError: A part names no source, an unknown one, or no path.
    """
    parsed: list[tuple[Source, Path]] = []
    known = f"known sources: {', '.join(SOURCES)}"
    for part in spec.split(","):
        name, colon, path = part.strip().partition(":")
        if not colon or not path:
            raise DatasetError(
                f"{quoted(part.strip())} is not SOURCE:PATH", hint=f"write SOURCE:PATH for each file; {known}"
            )
        if name not in SOURCES:
            raise DatasetError(f"unknown source {quoted(name)}", hint=known)
        parsed.append((SOURCES[name], Path(path).expanduser().absolute()))
    return parsed
