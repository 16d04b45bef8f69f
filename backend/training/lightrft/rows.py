"""Has LightRFT's ``GRMDataset`` show Winnow's rows as their judge was shown them.

Runs in LightRFT's interpreter. By itself (read at 49e62cb) ``GRMDataset`` differs from every engine: it
takes other frames of a video, turns no image by its EXIF orientation and keeps no video's timing. It
trains on the opening of the judge's turn and on the newline behind its end, which no judge writes; it cuts
a long prompt of its validation off in the middle of a picture; and where a file cannot be loaded it logs
that and trains on the others. Here :class:`~backend.training.showing.Showing` makes the rows, and
LightRFT puts them together into batches.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json
from backend.domain.pairs import MediaKind
from backend.engines.models import pixel_factor
from backend.training.data import DataFile, Row, parse_row
from backend.training.showing import Showing

T2I_SOURCE = "imagegen-cot-reward-5k"
T2V_SOURCE = "rejection-sampling-t2v"
_TASKS = {MediaKind.IMAGE: "text-to-image", MediaKind.VIDEO: "text-to-video"}


class ExportedRows:
    """LightRFT's data handler for Winnow's exports, of which only the loading is asked for."""

    def load_data(self, path: str) -> list[dict[str, Any]]:
        """The rows of a file. What cannot be loaded ends the training: LightRFT would go on without."""
        try:
            rows = load_json(Path(path).read_text(encoding="utf-8"))
            file = DataFile(Path(path), None, len(rows), validation=False)
            return [{"row": parse_row(row, file)} for row in rows]
        except (OSError, ValueError, KeyError, TypeError) as error:
            sys.exit(f"{path}: cannot be loaded ({type(error).__name__}: {error})")


class Handlers:
    """Stands in for ``GRMDataset.handlers``: what is assigned there gets Winnow's handler.

    ``GRMDataset`` fills the dictionary and reads its files in one go in ``__init__``, so there is no
    moment at which an entry could be added from outside.
    """

    def __get__(self, dataset: Any, _owner: type) -> Any:
        if dataset is None:
            return self
        return dataset.__dict__["handlers"]

    def __set__(self, dataset: Any, handlers: dict[str, Any]) -> None:
        own = ExportedRows()
        dataset.__dict__["handlers"] = {**handlers, T2I_SOURCE: own, T2V_SOURCE: own}


def show_rows(dataset_class: Any, model: str) -> None:
    """See to it that ``GRMDataset`` shows rows as they were judged.

    Args:
        model: The folder or hub name of the model that is trained.
    """
    original = dataset_class.__init__

    @functools.wraps(original)
    def __init__(dataset: Any, *arguments: Any, **named: Any) -> None:
        original(dataset, *arguments, **named)
        dataset.showing = Showing(
            dataset.processor,
            fps=dataset.config["video_fps"],
            max_pixels=dataset.config["max_pixels"],
            factor=pixel_factor(model),
        )
        dataset.data = [item for item in dataset.data if _can_be_shown(dataset.showing, item["row"])]

    dataset_class.handlers = Handlers()
    dataset_class.__init__ = __init__
    dataset_class.__getitem__ = _item


def _can_be_shown(showing: Showing, row: Row) -> bool:
    said = showing.refused(row)
    if said:
        sys.stderr.write(f"winnow: a row is left out: {said}\n")
    return not said


def _item(dataset: Any, index: int) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Inputs, labels (none in a validation) and what LightRFT writes down beside an answer."""
    item = dataset.data[index]
    row: Row = item["row"]
    labels = None
    if dataset.is_training:
        inputs, learned = dataset.showing.sample(row)
        labels = inputs["input_ids"].clone()
        labels[:, :-learned] = -100
    else:
        inputs = dataset.showing.prompt(row)
    if "second_per_grid_ts" in inputs:
        inputs["video_grid_thw"] = with_seconds(inputs["video_grid_thw"], inputs["second_per_grid_ts"])
    told = {
        "source": item["source"],
        "task_type": _TASKS[row.kind],
        "media": list(row.media),
        "system_prompt": row.instruction,
        "response": row.response,
    }
    return inputs, labels, told


def with_seconds(grid: Any, seconds: Any) -> Any:
    """A grid of videos, ``[N, 3]`` int64, with the seconds of a temporal step as a fourth column.

    Between here and the model LightRFT passes on what it knows, and that is the grid. The seconds
    travel as the bits of their float32, which nothing rounds or casts on the way.
    """
    import torch

    bits = torch.as_tensor(seconds, dtype=torch.float32).view(torch.int32)
    return torch.cat([grid, bits[:, None].to(grid.dtype)], dim=1)


def without_seconds(grid: Any) -> tuple[Any, Any]:
    """What :func:`with_seconds` put together: the grid, and seconds or ``None``."""
    import torch

    if grid is None or grid.shape[1] == 3:
        return grid, None
    return grid[:, :3], grid[:, 3].to(torch.int32).view(torch.float32)
