"""Rows in micro batches, as :mod:`backend.training.showing` makes model inputs of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.domain.pairs import MediaKind
from backend.errors import EngineError, MediaError, TrainingError
from backend.hints import Hint
from backend.training.data import Row
from backend.training.showing import Showing
from backend.training.spec import TrainingSpec

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

IGNORED = -100
"""Label of a token that is not learned (``torch.nn.functional.cross_entropy``'s own default)."""


@dataclass(frozen=True, slots=True)
class Micro:
    """Rows of one kind that go through the model at once.

    Attributes:
        inputs: The model's keyword arguments, padded on the left.
        labels: ``[B, L]`` int64, :data:`IGNORED` outside the responses.
        keep: Positions at the end within which all responses lie, and one before them.
        tokens: How many are learned.
    """

    inputs: dict[str, torch.Tensor]
    labels: torch.Tensor
    keep: int
    rows: int
    tokens: int


class Collator:
    """Turns rows into :class:`Micro` batches.

    Args:
        processor: The model's.
        factor: Of the model, see :func:`backend.engines.models.pixel_factor`.
    """

    def __init__(self, processor: Any, spec: TrainingSpec, factor: int) -> None:
        self._processor = processor
        self._longest = spec.prompt_max_len
        self._showing = Showing(processor, fps=spec.fps, max_pixels=spec.max_pixels, factor=factor)
        self.left_out = 0

    def sample(self, row: Row) -> tuple[dict[str, torch.Tensor], int] | None:
        """One row's inputs, unpadded, and the length of its response.

        Returns:
            ``None`` when the row is too long, or when its instruction spells a control token of this
            model: no run judges such a pair.

        Raises:
            TrainingError: A medium is missing or broken.
        """
        try:
            inputs, length = self._showing.sample(row)
        except EngineError as error:
            self.left_out += 1
            log.warning("a row is left out: %s", error.message)
            return None
        except MediaError as error:
            raise TrainingError(error.message, hint=Hint("bring the file back, then {RESUME_TRAINING}")) from error
        tokens = inputs["input_ids"].shape[1]
        if tokens > self._longest:
            self.left_out += 1
            log.warning("a row of %d tokens is left out (prompt_max_len is %d)", tokens, self._longest)
            return None
        return inputs, length

    def micro_batches(self, rows: Sequence[Row]) -> Iterator[Micro]:
        """The rows of one micro batch, split by kind: a processor takes one kind at a time.

        Gradients are sums over tokens, so the split changes nothing about the step.
        """
        for kind in MediaKind:
            samples = [self.sample(row) for row in rows if row.kind is kind]
            kept = [sample for sample in samples if sample is not None]
            if kept:
                yield self._together(kept)

    def _together(self, samples: list[tuple[dict[str, torch.Tensor], int]]) -> Micro:
        import torch

        longest = max(inputs["input_ids"].shape[1] for inputs, _ in samples)
        pad = self._processor.tokenizer.pad_token_id
        joined: dict[str, torch.Tensor] = {}
        for name, value in samples[0][0].items():
            values = [inputs[name] for inputs, _ in samples]
            if value.shape == samples[0][0]["input_ids"].shape:
                fill = pad if name == "input_ids" else 0
                values = [torch.nn.functional.pad(one, (longest - one.shape[1], 0), value=fill) for one in values]
            joined[name] = torch.cat(values)
        labels = torch.full_like(joined["input_ids"], IGNORED)
        for number, (_, length) in enumerate(samples):
            labels[number, -length:] = joined["input_ids"][number, -length:]
        lengths = [length for _, length in samples]
        return Micro(joined, labels, max(lengths) + 1, len(samples), sum(lengths))


def ahead(
    collator: Collator, batches: Iterator[tuple[int, list[list[Row]]]], *, workers: int = 2
) -> Iterator[tuple[int, Iterator[Micro]]]:
    """Decode the next micro batches while the device works on the present one.

    Args:
        batches: Steps, each with the rows of its micro batches.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="collate")
    try:
        for step, micros in batches:
            yield step, _step(pool, collator, micros, workers)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _step(pool: ThreadPoolExecutor, collator: Collator, micros: list[list[Row]], workers: int) -> Iterator[Micro]:
    waiting = []
    for rows in micros:
        waiting.append(pool.submit(_collate, collator, rows))
        if len(waiting) > workers:
            yield from waiting.pop(0).result()
    for future in waiting:
        yield from future.result()


def _collate(collator: Collator, rows: list[Row]) -> list[Micro]:
    return list(collator.micro_batches(rows))
