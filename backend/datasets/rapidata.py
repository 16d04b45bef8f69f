"""Rapidata: video pairs in Parquet, with crowd scores for both videos.

The data root is the parent of the Parquet file's folder; videos lie in its ``videos`` or ``Videos`` folder. The
reference image of ``rapidata-i2v`` (``prompt_asset``) is not read, which the report says.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from backend.datasets.base import BrokenRow, RowProblem, Source, SourceRow, text_field
from backend.datasets.parquet_rows import parquet_rows
from backend.datasets.row_keys import Keys
from backend.domain.pairs import MediaKind, Preference
from backend.foreign_text import quoted
from backend.options import Options

_ASPECTS = ("Alignment", "Coherence", "Preference")
_ROUNDING = 1e-6  # of sums of three scores stored in single precision
_SCORES = tuple(f"weighted_results{side}_{aspect}" for side in (1, 2) for aspect in _ASPECTS)


_MODELS = ("model1", "model2")
_NEEDED = ("prompt", "file_name1", "file_name2", *_SCORES)
_KEYS = Keys(*_NEEDED, *_MODELS, without=("prompt_asset",))
_I2V_FOLDERS = ("", "hailuo-02/", "hailuo-02/marey/")
"""Where ``rapidata-i2v`` keeps files whose names have no folder, below the folder of videos."""


def _read(
    path: Path, root: Path, _options: Options, *, folders: Sequence[str] = ("",)
) -> Iterator[SourceRow | BrokenRow]:
    folder = "Videos" if not (root / "videos").is_dir() and (root / "Videos").is_dir() else "videos"

    def place(name: str) -> str:
        local = _video_path(name)
        if local.startswith("/"):
            return local
        if "/" in local:
            return f"{folder}/{local}"
        places = [f"{folder}/{part}{local}" for part in folders]
        # Not Path.exists, which raises where a name is too long for any file.
        found = [one for one in places if os.path.exists(root / one)]  # noqa: PTH110
        if len(found) > 1:
            raise RowProblem(f"{quoted(name)} may be {' or '.join(found)}: both are there")
        return (found or places)[0]

    return parquet_rows(path, _NEEDED, functools.partial(_convert, place), _KEYS, optional=_MODELS)


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


RAPIDATA_T2V = Source(
    name="rapidata-t2v",
    label="Rapidata, text to video",
    purpose="Video pairs with crowd scores for both.",
    file="Parquet; `prompt, file_name1, file_name2`, scores; videos in `videos` beside the file's folder",
    preference="larger sum of alignment, coherence, preference",
    media=(MediaKind.VIDEO,),
    example={
        "prompt": "a cat jumps",
        "file_name1": "worse.mp4",
        "file_name2": "better.mp4",
        **{score: 0.5 + 0.25 * score.startswith("weighted_results2") for score in _SCORES},
    },
    ending=".parquet",
    read=_read,
    # Its files draw the position of each video.
    winner_first=False,
    data_root=lambda path: path.parent.parent,
)
RAPIDATA_I2V = replace(
    RAPIDATA_T2V,
    name="rapidata-i2v",
    label="Rapidata, image to video",
    purpose="Video pairs made from an image, which is not read, with crowd scores for both.",
    read=functools.partial(_read, folders=_I2V_FOLDERS),
)
