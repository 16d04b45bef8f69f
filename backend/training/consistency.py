"""The self-consistency check: a judge's own greedy texts must cost it nothing more in a training.

On the row that it was written for, a judge's greedy text has, at step 0 of any training, the loss a
token that inference gives it. A trainer that shows the judge something else (another layout of turns,
other frames, pixels or positions) gives these texts a higher loss, whatever it is that differs.

How to hold a trainer against it::

    with Inference(judge, fps=2.0, max_pixels=MAX_PIXELS) as inference:
        rows = inference.answered(rows)          # the same rows, with the judge's own greedy texts
        expected = inference.losses(rows)        # a tuple of TokenLoss a row, in the rows' order
    mean_loss(expected)                          # nats a token, what a trainer's first step reports
    differences(expected[0], found)              # in words, token by token; empty where both agree

``rows`` are :class:`backend.training.data.Row`: filled-in instruction, media in shown order, as every
export holds them. ``found`` are the losses that a trainer gives the tokens of one row, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Self

from backend.engines.base import Completion, EngineOptions, Request
from backend.engines.models import pixel_factor
from backend.engines.transformers import TransformersEngine
from backend.errors import TrainingError
from backend.training.data import Row
from backend.training.showing import request_of

TOLERANCE = 0.1
"""Share of inference's loss by which a training's may differ."""

NOISE = 1e-3
"""Nats a token that float32 arithmetic in another order may make."""


@dataclass(frozen=True, slots=True)
class TokenLoss:
    """One token of a text, as the tokenizer spells it, and its loss in nats."""

    token: str
    nats: float


class Inference:
    """A judge as the transformers engine asks it, on the CPU in float32 unless told otherwise.

    Args:
        fps: Frames a second at which the rows' videos were judged.
        max_pixels: At which their media were judged.
        max_new_tokens: At which :meth:`answered` cuts a text off.
        batch_size: Rows that :meth:`answered` asks about at once.

    Raises:
        EngineError: ``judge`` is no model that transformers loads.
    """

    def __init__(
        self,
        judge: str | Path,
        *,
        fps: float,
        max_pixels: int | None,
        max_new_tokens: int = 256,
        batch_size: int = 1,
        device: str = "cpu",
    ) -> None:
        self._fps, self._max_pixels = fps, max_pixels
        self._factor = pixel_factor(str(judge))
        options = EngineOptions(
            batch_size=batch_size,
            max_new_tokens=max_new_tokens,
            device=device,
            dtype="float32",
            video_fps=fps,
            max_pixels=max_pixels,
        )
        self._engine = TransformersEngine(str(judge), options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.close()

    def answered(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with what this judge writes about them greedily.

        Raises:
            MediaError: A medium cannot be read.
            TrainingError: The judge has no answer, or none that ends.
        """
        answered = list(rows)
        for outcome in self._engine.generate(self._requests(rows)):
            if not isinstance(outcome, Completion):
                raise TrainingError(f"the judge gave no answer ({outcome.error})")
            if outcome.finish_reason != "stop":
                raise TrainingError("the judge's answer does not end", hint="raise max_new_tokens")
            answered[outcome.id] = replace(rows[outcome.id], response=outcome.text)
        return answered

    def losses(self, rows: Sequence[Row]) -> list[tuple[TokenLoss, ...]]:
        """The loss of each token of each row's response, the end of the turn included.

        Raises:
            MediaError: A medium cannot be read.
        """
        return [
            tuple(TokenLoss(*token) for token in self._engine.losses(request, row.response))
            for row, request in zip(rows, self._requests(rows), strict=True)
        ]

    def _requests(self, rows: Sequence[Row]) -> Iterator[Request]:
        for number, row in enumerate(rows):
            asked = request_of(row, fps=self._fps, max_pixels=self._max_pixels, factor=self._factor)
            yield replace(asked, id=number)


def mean_loss(rows: Sequence[Sequence[TokenLoss]]) -> float:
    """Nats a token over all tokens of all rows, as trainers report a step's loss."""
    nats = [token.nats for row in rows for token in row]
    return sum(nats) / len(nats)


def agrees(expected: float, found: float) -> bool:
    """Whether a mean loss is that of inference, within :data:`TOLERANCE` and :data:`NOISE`."""
    return abs(found - expected) <= max(TOLERANCE * expected, NOISE)


def differences(expected: Sequence[TokenLoss], found: Sequence[TokenLoss]) -> list[str]:
    """Where a trainer's losses of one row are not those of inference, each token by its name.

    A token that the trainer adds or leaves out is named too; those behind it are compared by place.
    """
    said = []
    for place, (one, other) in enumerate(zip_longest(expected, found)):
        if one is None:
            said.append(f"token {place} {other.token!r}: {other.nats:.4f} nats, not in inference")
        elif other is None:
            said.append(f"token {place} {one.token!r}: not trained on")
        elif one.token != other.token:
            said.append(f"token {place}: {other.token!r} where inference has {one.token!r}")
        elif not agrees(one.nats, other.nats):
            said.append(f"token {place} {one.token!r}: {other.nats:.4f} nats, {one.nats:.4f} in inference")
    return said
