"""Rapidata: video pairs in Parquet, with crowd scores for both videos."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from backend.datasets.base import BrokenRow, RowProblem, SourceRow, text_field
from backend.datasets.parquet_rows import parquet_rows
from backend.domain.pairs import MediaKind, OrderPolicy, Preference

_ASPECTS = ("Alignment", "Coherence", "Preference")
_ROUNDING = 1e-6  # of sums of three scores stored in single precision
_SCORES = tuple(f"weighted_results{side}_{aspect}" for side in (1, 2) for aspect in _ASPECTS)


class Rapidata:
    """``rapidata-t2v``, and ``rapidata-i2v``, whose reference image (``prompt_asset``) is not read.

    The data root is the parent of the Parquet file's folder; videos lie in its ``videos`` or
    ``Videos`` folder.
    """

    kind: MediaKind | None = MediaKind.VIDEO
    order = OrderPolicy.DATASET

    def __init__(self, name: str) -> None:
        self.name = name

    def rows(self, path: Path, data_root: Path | None = None) -> Iterator[SourceRow | BrokenRow]:
        """See :class:`~backend.datasets.base.Source`."""
        root = data_root or self.default_data_root(path)
        folder = (
            "Videos" if not (root / "videos").is_dir() and (root / "Videos").is_dir() else "videos"
        )
        convert = functools.partial(_convert, folder)
        needed = ("prompt", "file_name1", "file_name2", *_SCORES)
        return parquet_rows(path, needed, convert, optional=("model1", "model2"))

    def default_data_root(self, path: Path) -> Path:
        """The parent of the file's folder."""
        return path.parent.parent


def _convert(folder: str, row: int, item: dict[str, Any]) -> SourceRow:
    totals = [sum(_score(item, f"weighted_results{side}_{a}") for a in _ASPECTS) for side in (1, 2)]
    # Equal sums of decimals differ in binary: .1 + .2 + .3 is more than .3 + .2 + .1.
    if abs(totals[0] - totals[1]) < _ROUNDING:
        preference = Preference.TIE
    else:
        preference = Preference.FIRST if totals[0] > totals[1] else Preference.SECOND
    return SourceRow(
        row,
        text_field(item, "prompt"),
        _video_path(folder, text_field(item, "file_name1")),
        _video_path(folder, text_field(item, "file_name2")),
        preference,
        MediaKind.VIDEO,
        {key: item[key] for key in (*_SCORES, "model1", "model2") if item.get(key) is not None},
    )


def _score(item: dict[str, Any], column: str) -> float:
    """A score; null and NaN count as 0, as upstream has it.

    Raises:
        RowProblem: It is no finite number.
    """
    value = item[column]
    if value is None:
        return 0.0
    if not isinstance(value, int | float | Decimal) or math.isinf(value):
        raise RowProblem(f"{column!r} is {value!r}, which is no number")
    return 0.0 if math.isnan(value) else float(value)


def _video_path(folder: str, name: str) -> str:
    """``https://host/…/FOLDER/NAME`` is stored locally as ``videos/FOLDER/NAME``."""
    scheme, found, rest = name.partition("://")
    if found and scheme.lower() in ("http", "https"):
        parts = rest.split("?")[0].split("#")[0].split("/")[1:]
        name = "/".join(parts[-2:])
    elif name.startswith("/"):
        return name
    return f"{folder}/{name}"
