"""The self-consistency check as a program: does a trainer show the judge what inference shows it?

    PYTHON -m backend.training.self_check < job.json                (local)
    PYTHON entry.py --self-check < job.json                (lightrft, in its interpreter)

A job names the model, frames, pixels and some rows. The judge answers these greedily; then each token of
its answers gets the loss of inference and that of the trainer's own code, on the CPU. The last line of the
output is the result, see :class:`Result`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.domain.pairs import MediaKind
from backend.engines.models import pixel_factor
from backend.training.consistency import Inference, TokenLoss, agrees, differences, mean_loss
from backend.training.data import Row

Losses = list[tuple[TokenLoss, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be checked.

    Attributes:
        rows: Their responses do not matter.
        together: Rows that the trainer is given at once, as a micro batch.
    """

    model: str
    fps: float
    max_pixels: int
    rows: tuple[Row, ...]
    together: int = 1

    def dumps(self) -> str:
        """As the program reads it."""
        rows = [[row.kind, row.instruction, row.media] for row in self.rows]
        return json.dumps(
            {
                "model": self.model,
                "fps": self.fps,
                "max_pixels": self.max_pixels,
                "rows": rows,
                "together": self.together,
            }
        )

    @classmethod
    def loads(cls, text: str) -> Job:
        """What :meth:`dumps` wrote."""
        value = json.loads(text)
        rows = tuple(
            Row(MediaKind(kind), instruction, "", (first, second))
            for kind, instruction, (first, second) in value.pop("rows")
        )
        return cls(rows=rows, **value)


@dataclass(frozen=True, slots=True)
class Result:
    """What came out.

    Attributes:
        expected: Nats a token at inference.
        found: Nats a token in the training.
        differences: Token by token, in words; of each row that differs.
    """

    expected: float
    found: float
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether the trainer shows the judge what it was shown."""
        return not self.differences and agrees(self.expected, self.found)


def check(job: Job, losses: Callable[[Job], Losses]) -> Result:
    """Let the judge answer, and compare.

    Args:
        losses: Gives each row's tokens the losses of a training, in the rows' order.

    Raises:
        WinnowError: The judge cannot be loaded, a medium cannot be read, or an answer does not end.
    """
    with Inference(job.model, fps=job.fps, max_pixels=job.max_pixels) as inference:
        rows = inference.answered(job.rows)
        expected = inference.losses(rows)
    found = losses(replace(job, rows=tuple(rows)))
    said = [
        f"row {number}, {difference}"
        for number, (one, other) in enumerate(zip(expected, found, strict=True))
        for difference in differences(one, other)
    ]
    return Result(mean_loss(expected), mean_loss(found), tuple(said))


def local_losses(job: Job) -> Losses:
    """By the local trainer's own micro batches and model, in float32."""
    import torch

    from backend.training.local.collate import Collator
    from backend.training.local.model import Judge
    from backend.training.spec import SetRef, TrainingSpec

    spec = TrainingSpec(
        trainer="local",
        model=job.model,
        output_dir="unused",
        fps=job.fps,
        device="cpu",
        max_pixels=job.max_pixels,
        sets=(SetRef(id=0, name="", version=0, content_hash=""),),
    )
    judge = Judge(spec, "cpu", bf16=False)
    collator = Collator(judge.processor, spec, pixel_factor(spec.model))
    found: Losses = []
    for start in range(0, len(job.rows), job.together):
        for micro in collator.micro_batches(job.rows[start : start + job.together]):
            with torch.no_grad():
                logits = judge.logits(micro.inputs, micro.keep)
            labels = micro.labels[:, -micro.keep :]
            found += token_losses(logits, labels, judge.processor.tokenizer)
    return found


def token_losses(logits: Any, labels: Any, tokenizer: Any) -> Losses:
    """The loss of each token that is learned, row by row.

    Args:
        logits: ``[B, L, V]``, at the places before the tokens that they predict.
        labels: ``[B, L]``, the tokens themselves, negative where one is not learned.
    """
    import torch

    nats = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), labels[:, 1:], reduction="none", ignore_index=-100
    )
    found: Losses = []
    for row, ids in zip(nats, labels[:, 1:], strict=True):
        learned = ids != -100
        names = tokenizer.convert_ids_to_tokens(ids[learned].tolist())
        found.append(tuple(map(TokenLoss, names, row[learned].tolist())))
    return found


def run(job: Job, losses: Callable[[Job], Losses]) -> None:
    """Do a job and print its result."""
    result = check(job, losses)
    print(json.dumps([result.expected, result.found, result.differences]), flush=True)  # noqa: T201


def read_result(output: str) -> Result:
    """The result in a program's output.

    Raises:
        ValueError: There is none.
    """
    lines = output.splitlines()
    if not lines:
        raise ValueError("no output")
    expected, found, said = json.loads(lines[-1])
    return Result(expected, found, tuple(said))


def in_order(rows: Sequence[Row], found: dict[tuple[str, ...], tuple[TokenLoss, ...]]) -> Losses:
    """Losses by a row's media and response, in the rows' order."""
    return [found[*row.media, row.response] for row in rows]


if __name__ == "__main__":
    run(Job.loads(sys.stdin.read()), local_losses)
