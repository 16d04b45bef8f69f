"""Training rows of the demo's media with the demo judge's own texts, for self-consistency checks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from backend.demo.dataset import write_demo
from backend.domain.pairs import MediaKind, MediaRef, Order, Pair, Preference
from backend.domain.prompts import default_instruction, fill_instruction
from backend.media.sizes import MAX_PIXELS
from backend.training.consistency import Inference, TokenLoss
from backend.training.data import Row

FPS = 2.0


@dataclass(frozen=True)
class OwnTexts:
    """Rows whose responses the judge wrote greedily, and what inference says they cost."""

    rows: list[Row]
    losses: list[tuple[TokenLoss, ...]]

    def of(self, kind: MediaKind) -> OwnTexts:
        """Those of one medium."""
        both = zip(self.rows, self.losses, strict=True)
        chosen = [(row, losses) for row, losses in both if row.kind is kind]
        return OwnTexts([row for row, _ in chosen], [losses for _, losses in chosen])


def own_texts(judge: Path, folder: Path, *, images: int = 4, videos: int = 4, fps: float = FPS) -> OwnTexts:
    """So many image and video rows under ``folder``, answered by ``judge``, with inference's losses."""
    with Inference(judge, fps=fps, max_pixels=MAX_PIXELS) as inference:
        rows = inference.answered(demo_rows(folder, images=images, videos=videos))
        return OwnTexts(rows, inference.losses(rows))


def demo_rows(folder: Path, *, images: int, videos: int) -> list[Row]:
    """Rows of freshly rendered demo pairs, without a response."""
    return [row for row, _ in labelled_rows(folder, images=images, videos=videos)]


def labelled_rows(folder: Path, *, images: int, videos: int) -> list[tuple[Row, Preference]]:
    """The same with the side that is better by construction; every second row is shown exchanged."""
    files = write_demo(folder, seed=4_711, image_pairs=images, video_pairs=videos, wrong_share=0.0)
    truth = json.loads(files.truth.read_text())["better_first"]
    pictures = [
        (row["prompt"], *(files.images.parent / row[f"path{n}"] for n in (1, 2)))
        for row in json.loads(files.images.read_text())
    ]
    clips = [
        (row["prompt"], *(files.videos.parents[1] / "videos" / row[f"file_name{n}"] for n in (1, 2)))
        for row in pq.read_table(files.videos).to_pylist()
    ]
    found = []
    for kind, rows in ((MediaKind.IMAGE, pictures), (MediaKind.VIDEO, clips)):
        for number, (prompt, first, second) in enumerate(rows):
            order = Order.SWAPPED if number % 2 else Order.DATASET
            better = Preference.FIRST if truth[kind.value][number] else Preference.SECOND
            shown = Pair(
                key=str(number),
                index=number,
                kind=kind,
                prompt=prompt,
                preference=better,
                first=MediaRef(path=str(first)),
                second=MediaRef(path=str(second)),
            ).shown(order)
            instruction = fill_instruction(default_instruction(kind), prompt)
            row = Row(kind, instruction, "", (shown.first.path, shown.second.path))
            found.append((row, shown.preferred))
    return found
