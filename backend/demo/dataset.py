"""The demo's files: image pairs in HPDv3's layout and video pairs in Rapidata's.

The better side of every pair is known by construction and written to ``truth.json``; a few recorded
preferences are deliberately the other way round, as in real data, so that there is something to find.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from backend.demo.coding import encode_jpeg, encode_mp4
from backend.demo.scenes import DEFECTS, Caption, Scene, random_caption, render_clip, render_image, scene_for
from backend.domain.pairs import MediaKind
from backend.files import WholeFile, write_whole

IMAGE_PAIRS = 160
VIDEO_PAIRS = 60
WRONG_SHARE = 0.05
"""Share of recorded preferences that are deliberately wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPair:
    """One pair before it is written.

    Attributes:
        better_first: Whether the first file of the row shows the better scene.
        recorded_first: Whether the recorded preference is for the first.
    """

    caption: Caption
    scenes: tuple[Scene, Scene]
    better_first: bool
    recorded_first: bool
    seeds: tuple[int, int]


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where the demo's dataset files lie."""

    images: Path
    videos: Path
    truth: Path


def demo_pairs(kind: MediaKind, count: int, seed: int, *, wrong_share: float = WRONG_SHARE) -> list[DemoPair]:
    """Pairs drawn from ``seed``; every defect comes round in turn."""
    rng = random.Random(f"{seed}:{kind.value}")
    wrong = set(rng.sample(range(count), round(count * wrong_share)))
    result = []
    for number in range(count):
        caption = random_caption(rng)
        good = scene_for(caption, kind, None, rng)
        poor = scene_for(caption, kind, DEFECTS[kind][number % len(DEFECTS[kind])], rng)
        # HPDv3 always puts the preferred image first; Rapidata puts it anywhere.
        recorded_first = kind is MediaKind.IMAGE or rng.random() < 0.5
        better_first = recorded_first != (number in wrong)
        result.append(
            DemoPair(
                caption=caption,
                scenes=(good, poor) if better_first else (poor, good),
                better_first=better_first,
                recorded_first=recorded_first,
                seeds=(rng.getrandbits(48), rng.getrandbits(48)),
            )
        )
    return result


def write_demo(
    folder: Path,
    *,
    seed: int = 7,
    image_pairs: int = IMAGE_PAIRS,
    video_pairs: int = VIDEO_PAIRS,
    wrong_share: float = WRONG_SHARE,
) -> DemoFiles:
    """Render the demo into ``folder``; a complete one of the same arguments is left as it is."""
    files = DemoFiles(folder / "t2i" / "pairs.json", folder / "t2v" / "data" / "pairs.parquet", folder / "truth.json")
    stamp = {"seed": seed, "images": image_pairs, "videos": video_pairs, "wrong": wrong_share}
    if files.truth.exists() and json.loads(files.truth.read_text())["made_with"] == stamp:
        return files
    images = demo_pairs(MediaKind.IMAGE, image_pairs, seed, wrong_share=wrong_share)
    videos = demo_pairs(MediaKind.VIDEO, video_pairs, seed, wrong_share=wrong_share)
    _write_images(files.images, images)
    _write_videos(files.videos, videos)
    truth = {
        "made_with": stamp,
        "better_first": {
            "image": [pair.better_first for pair in images],
            "video": [pair.better_first for pair in videos],
        },
    }
    # Last, because it says that everything else is there.
    write_whole(files.truth, json.dumps(truth).encode(), sync=False)
    return files


def _write_images(file: Path, pairs: list[DemoPair]) -> None:
    folder = file.parent / "images"
    rows: list[dict[str, Any]] = []
    for number, pair in enumerate(pairs):
        paths = []
        for side, scene, seed in zip("ab", pair.scenes, pair.seeds, strict=True):
            path = folder / f"{number:04d}{side}.jpg"
            write_whole(path, encode_jpeg(render_image(scene, random.Random(seed))), sync=False)
            paths.append(f"images/{path.name}")
        rows.append(
            {
                "prompt": pair.caption.text,
                "path1": paths[0],
                "path2": paths[1],
                "model1": "steady-brush" if pair.better_first else "hasty-brush",
                "model2": "hasty-brush" if pair.better_first else "steady-brush",
                "confidence": 0.9,
            }
        )
    write_whole(file, json.dumps(rows, indent=1).encode(), sync=False)


def _write_videos(file: Path, pairs: list[DemoPair]) -> None:
    folder = file.parent.parent / "videos"
    columns: dict[str, list[Any]] = {"prompt": [], "file_name1": [], "file_name2": []}
    aspects = ("Alignment", "Coherence", "Preference")
    for side in (1, 2):
        for aspect in aspects:
            columns[f"weighted_results{side}_{aspect}"] = []
    for number, pair in enumerate(pairs):
        columns["prompt"].append(pair.caption.text)
        for side, scene, seed in zip((1, 2), pair.scenes, pair.seeds, strict=True):
            name = f"{number:04d}_{side}.mp4"
            write_whole(folder / name, encode_mp4(render_clip(scene, random.Random(seed))), sync=False)
            columns[f"file_name{side}"].append(name)
            score = 0.7 if (side == 1) == pair.recorded_first else 0.3
            for aspect in aspects:
                columns[f"weighted_results{side}_{aspect}"].append(score)
    with WholeFile(file, sync=False) as table:
        pq.write_table(pa.table(columns), table.stream)
