"""The judge that ships with the project, and measuring one on held-out pairs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from backend.demo.dataset import DemoFiles, write_demo
from backend.domain.pairs import MediaKind, MediaRef, Pair, Preference, shuffled_order
from backend.domain.prompts import default_instruction, fill_instruction, judge_messages
from backend.domain.reading import parse_verdict
from backend.domain.statistics import wilson_interval
from backend.engines.base import Completion, EngineOptions, Medium, Request
from backend.engines.registry import load_engine
from backend.errors import DemoError
from backend.hints import Hint
from backend.media.images import read_image
from backend.media.reading import read_video

JUDGE_FOLDER = Path(__file__).parent / "judge"
HELD_OUT_SEED = 90_001
_FPS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How often a judge named the side that is better by construction."""

    kind: MediaKind
    pairs: int
    right: int
    unreadable: int
    flawed: int

    @property
    def share(self) -> float:
        return self.right / self.pairs

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.right, self.pairs)


def shipped_judge() -> Path:
    """The folder of the demo judge.

    Raises:
        DemoError: It is missing from the installation.
    """
    if not (JUDGE_FOLDER / "model.safetensors").exists():
        raise DemoError(
            f"{JUDGE_FOLDER}: the demo judge is missing",
            hint=Hint("{BUILD_JUDGE} trains it again, in less than an hour"),
        )
    return JUDGE_FOLDER


def measure_judge(
    judge: Path,
    *,
    pairs: int = 320,
    seed: int = HELD_OUT_SEED,
    media_shift: int = 0,
    engine: str = "transformers",
    batch_size: int = 32,
) -> list[Accuracy]:
    """Accuracy on ``pairs`` held-out pairs of each medium, greedily, in a drawn order.

    The held-out pairs are rendered from a seed that neither the training nor the demo uses, and all
    their labels are right.

    Args:
        media_shift: Show with every caption the two media of the pair this many places later, in the
            order in which that pair is shown. Nothing of them speaks for the label then, so a judge
            that really looks falls to chance. (Exchanged in the file's order they would: HPDv3's
            first image is always the better one, and noise is seen without a caption.)
    """
    options = EngineOptions(batch_size=batch_size, max_new_tokens=256, device="cpu")
    loaded = load_engine(engine, str(judge), options)
    try:
        with tempfile.TemporaryDirectory(prefix="winnow-heldout-") as folder:
            files = write_demo(Path(folder), seed=seed, image_pairs=pairs, video_pairs=pairs, wrong_share=0.0)
            results = []
            for kind in MediaKind:
                asked = list(_held_out(files, kind))
                right = unreadable = flawed = 0
                shown = [pair.shown(shuffled_order(seed, pair.key)) for pair, _ in asked]
                requests = (
                    Request(
                        id=number,
                        kind=kind,
                        messages=judge_messages(kind, fill_instruction(default_instruction(kind), item.prompt)),
                        media={
                            "first": _read(folder_path / seen.first.path, kind),
                            "second": _read(folder_path / seen.second.path, kind),
                        },
                        seed=0,
                    )
                    for number, (item, seen, (_, folder_path)) in enumerate(
                        zip(shown, shown[media_shift:] + shown[:media_shift], asked, strict=True)
                    )
                )
                for outcome in loaded.generate(requests):
                    if not isinstance(outcome, Completion):
                        raise DemoError(f"the judge failed on a held-out pair: {outcome.error}")
                    verdict = parse_verdict(outcome.text, kind, finish_reason=outcome.finish_reason)
                    right += verdict.answer == shown[outcome.id].preferred
                    unreadable += verdict.answer is None
                    flawed += bool(verdict.flaws)
                results.append(Accuracy(kind=kind, pairs=pairs, right=right, unreadable=unreadable, flawed=flawed))
            return results
    finally:
        loaded.close()


def _held_out(files: DemoFiles, kind: MediaKind) -> Iterator[tuple[Pair, Path]]:
    """Pairs with the truth as their preference, and the folder that their media are in."""
    truth: list[bool] = json.loads(files.truth.read_text())["better_first"][kind.value]
    image = kind is MediaKind.IMAGE
    folder = files.images.parent / "images" if image else files.videos.parents[1] / "videos"
    names = ("{:04d}a.jpg", "{:04d}b.jpg") if image else ("{:04d}_1.mp4", "{:04d}_2.mp4")
    prompts = _prompts(files, kind)
    for number, better_first in enumerate(truth):
        shown = Pair(
            key=f"{kind.value}-{number}",
            index=number,
            kind=kind,
            prompt=prompts[number],
            first=MediaRef(path=names[0].format(number)),
            second=MediaRef(path=names[1].format(number)),
            preference=Preference.FIRST if better_first else Preference.SECOND,
        )
        yield shown, folder


def _prompts(files: DemoFiles, kind: MediaKind) -> list[str]:
    if kind is MediaKind.IMAGE:
        return [row["prompt"] for row in json.loads(files.images.read_text())]
    prompts: list[str] = pq.read_table(files.videos, columns=["prompt"])["prompt"].to_pylist()
    return prompts


def _read(path: Path, kind: MediaKind) -> Medium:
    return read_image(path) if kind is MediaKind.IMAGE else read_video(path, fps=_FPS)
