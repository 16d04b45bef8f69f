"""What LightRFT's own positions cost a judge: the same training with them and with the model's own.

    python -m benchmarks.positions                        # 240 rows, 30 steps, 120 held-out pairs a medium

The demo judge answers rendered pairs greedily. On the right answers it is trained twice, all else equal:
once with the positions that LightRFT gives a model by itself (a running count of the attention mask, no
timing of videos), once as Winnow's entry has it. Prints the loss of the first step beside that of
inference, of the last step, and how often each judge is right on held-out pairs.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from backend.demo.judge import measure_judge, shipped_judge
from backend.domain.pairs import MediaKind
from backend.domain.reading import parse_verdict
from backend.engines.models import pixel_factor
from backend.media.sizes import MAX_PIXELS
from backend.training.consistency import Inference, mean_loss
from backend.training.data import Row
from backend.training.local.collate import Collator, Micro
from backend.training.local.model import Judge
from backend.training.spec import SetRef, TrainingSpec
from tests.integration.judged_rows import labelled_rows

FPS = 2.0
BATCH = 8


def main(arguments: list[str] | None = None) -> None:
    """Everything; prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--held-out", type=int, default=120, help="pairs of each medium")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="winnow-positions-") as folder:
        rows, expected = right_answers(shipped_judge(), Path(folder), given.rows)
        print(f"{len(rows)} rows; at inference {expected:.4f} nats a token", flush=True)
        print("| positions | first step | last step | images | videos |\n|---|---|---|---|---|")
        report("(untrained)", None, None, shipped_judge(), given.held_out)
        for counted, name in ((True, "LightRFT's own"), (False, "the model's own")):
            judge = Path(folder) / f"judge-{counted}"
            losses = train(shipped_judge(), rows, judge, counted=counted, given=given)
            report(name, losses[0], losses[-1], judge, given.held_out)


def right_answers(judge: Path, folder: Path, wanted: int) -> tuple[list[Row], float]:
    """Rows of both kinds whose greedy answer is right, and their loss at inference."""
    kept: list[Row] = []
    with Inference(judge, fps=FPS, max_pixels=MAX_PIXELS, batch_size=16) as inference:
        labelled = labelled_rows(folder, images=wanted * 2 // 3, videos=wanted * 2 // 3)
        answered = inference.answered([row for row, _ in labelled])
        for kind in MediaKind:
            right = [
                row
                for row, (_, better) in zip(answered, labelled, strict=True)
                if row.kind is kind and parse_verdict(row.response, kind).answer is better
            ]
            kept += right[: wanted // 2]
        return kept, mean_loss(inference.losses(kept[:: max(1, len(kept) // 24)]))


def train(source: Path, rows: Sequence[Row], out: Path, *, counted: bool, given: argparse.Namespace) -> list[float]:
    """Train so many steps on batches of one kind, drawn alike each time; the loss of each."""
    import torch

    spec = TrainingSpec(
        trainer="local",
        model=str(source),
        output_dir=str(out),
        fps=FPS,
        device="cpu",
        sets=(SetRef(id=0, name="", version=0, content_hash=""),),
        gradient_checkpointing=False,
    )
    torch.manual_seed(0)
    judge = Judge(spec, "cpu", bf16=False)
    collator = Collator(judge.processor, spec, pixel_factor(spec.model))
    optimizer = torch.optim.AdamW(judge.trained.values(), lr=given.learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    losses = []
    for batch in batches(rows, given.steps):
        (micro,) = collator.micro_batches(batch)
        loss = step_loss(judge, micro, counted=counted)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(judge.trained.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    judge.save(out)
    return losses


def batches(rows: Sequence[Row], steps: int) -> Iterator[list[Row]]:
    """As many batches of each kind by turns, every row once before any comes again."""
    rng = random.Random(0)
    left: dict[MediaKind, list[Row]] = {kind: [] for kind in MediaKind}
    for step in range(steps):
        kind = list(MediaKind)[step % 2]
        if len(left[kind]) < BATCH:
            left[kind] = rng.sample(of := [row for row in rows if row.kind is kind], len(of))
        yield [left[kind].pop() for _ in range(BATCH)]


def step_loss(judge: Judge, micro: Micro, *, counted: bool) -> Any:
    """Mean loss a token, with the positions of the one or the other."""
    import torch

    inputs = dict(micro.inputs)
    if counted:
        mask = inputs["attention_mask"]
        inputs["position_ids"] = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 1)
        inputs.pop("second_per_grid_ts", None)
    logits = judge.logits(inputs, micro.keep)[:, :-1]
    labels = micro.labels[:, -micro.keep + 1 :]
    return torch.nn.functional.cross_entropy(logits.float().transpose(1, 2), labels)


def report(name: str, first: float | None, last: float | None, judge: Path, pairs: int) -> None:
    """One line of the table."""
    shares = [
        f"{found.share:.3f} ({found.interval[0]:.3f} to {found.interval[1]:.3f})"
        for found in measure_judge(judge, pairs=pairs)
    ]
    losses = ["" if loss is None else f"{loss:.4f}" for loss in (first, last)]
    print("| " + " | ".join([name, *losses, *shares]) + " |", flush=True)


if __name__ == "__main__":
    main()
