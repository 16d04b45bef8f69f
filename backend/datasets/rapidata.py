"""Rapidata: video pairs in Parquet, with crowd scores for both videos."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from backend.datasets.base import BrokenRow, RowProblem, SourceRow, text_field
from backend.datasets.parquet_rows import parquet_rows
from backend.datasets.row_keys import Keys
from backend.domain.pairs import MediaKind, OrderPolicy, Preference
from backend.foreign_text import quoted

_ASPECTS = ("Alignment", "Coherence", "Preference")
_ROUNDING = 1e-6  # of sums of three scores stored in single precision
_SCORES = tuple(f"weighted_results{side}_{aspect}" for side in (1, 2) for aspect in _ASPECTS)


_MODELS = ("model1", "model2")
_NEEDED = ("prompt", "file_name1", "file_name2", *_SCORES)
_KEYS = Keys(*_NEEDED, *_MODELS, without=("prompt_asset",))
I2V_FOLDERS = ("", "hailuo-02/", "hailuo-02/marey/")
"""Where ``rapidata-i2v`` keeps files whose names have no folder, below the folder of videos."""


class Rapidata:
    """``rapidata-t2v``, and ``rapidata-i2v``, whose reference image (``prompt_asset``) is not read, which
    the report says.

    The data root is the parent of the Parquet file's folder; videos lie in its ``videos`` or
    ``Videos`` folder.
    """

    kind: MediaKind | None = MediaKind.VIDEO
    order = OrderPolicy.DATASET

    def __init__(self, name: str, folders: Sequence[str] = ("",)) -> None:
        self.name = name
        self._folders = folders

    def rows(self, path: Path, data_root: Path | None = None) -> Iterator[SourceRow | BrokenRow]:
        """See :class:`~backend.datasets.base.Source`."""
        root = data_root or self.default_data_root(path)
        folder = "Videos" if not (root / "videos").is_dir() and (root / "Videos").is_dir() else "videos"

        def place(name: str) -> str:
            local = _video_path(name)
            if local.startswith("/"):
                return local
            if "/" in local:
                return f"{folder}/{local}"
            places = [f"{folder}/{part}{local}" for part in self._folders]
            # Not Path.exists, which raises where a name is too long for any file.
            found = [one for one in places if os.path.exists(root / one)]  # noqa: PTH110
            if len(found) > 1:
                raise RowProblem(f"{quoted(name)} may be {' or '.join(found)}: both are there")
            return (found or places)[0]

        convert = functools.partial(_convert, place)
        return parquet_rows(path, _NEEDED, convert, _KEYS, optional=_MODELS)

    def default_data_root(self, path: Path) -> Path:
        """The parent of the file's folder."""
        return path.parent.parent


def _convert(place: Callable[[str], str], row: int, item: dict[str, Any]) -> SourceRow:
    totals = [sum(_score(item, f"weighted_results{side}_{a}") for a in _ASPECTS) for side in (1, 2)]
    # Equal sums of decimals differ in binary: .1 + .2 + .3 is more than .3 + .2 + .1.
    if abs(totals[0] - totals[1]) < _ROUNDING:
        preference = Preference.TIE
    else:
        preference = Preference.FIRST if totals[0] > totals[1] else Preference.SECOND
    return SourceRow(
        row,
        text_field(item, "prompt"),
        place(text_field(item, "file_name1")),
        place(text_field(item, "file_name2")),
        preference,
        MediaKind.VIDEO,
        {key: item[key] for key in (*_SCORES, *_MODELS) if item.get(key) is not None},
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
        raise RowProblem(f"{quoted(column)} is {quoted(value)}, which is no number")
    return 0.0 if math.isnan(value) else float(value)


def _video_path(name: str) -> str:
    """Below the folder of videos: ``https://host/…/FOLDER/NAME`` is stored as ``FOLDER/NAME``."""
    scheme, found, rest = name.partition("://")
    if found and scheme.lower() in ("http", "https"):
        parts = rest.split("?")[0].split("#")[0].split("/")[1:]
        return "/".join(parts[-2:])
    return name
