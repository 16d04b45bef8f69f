"""A training row as its judge was shown it: the one way, for every trainer that Winnow feeds.

The prompt's token ids and pixels come from :func:`backend.engines.processing.prompt_inputs`, which the
transformers engine calls too; the response's ids follow them, as generated ones would. The local
trainer takes its rows from here, and so does LightRFT (:mod:`backend.training.lightrft.rows`).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.domain.prompts import judge_messages
from backend.engines.base import Request
from backend.engines.processing import prompt_inputs, prompt_text
from backend.errors import EngineError
from backend.media.reading import read_medium
from backend.training.data import Row

if TYPE_CHECKING:
    import torch


def request_of(row: Row, *, fps: float, max_pixels: int | None, factor: int) -> Request:
    """What the judge was asked about a row.

    Args:
        fps: Frames a second at which its videos were judged.
        max_pixels: At which its media were judged.
        factor: Of the model, see :func:`backend.engines.models.pixel_factor`.

    Raises:
        MediaError: A medium is missing or broken.
    """
    first, second = (
        read_medium(Path(path), row.kind, fps=fps, max_pixels=max_pixels, factor=factor) for path in row.media
    )
    return Request(
        id=0,
        kind=row.kind,
        messages=judge_messages(row.kind, row.instruction),
        media={"first": first, "second": second},
    )


class Showing:
    """Makes model inputs of rows, one at a time and unpadded.

    Args:
        processor: The model's.
        fps: As for :func:`request_of`, and so are the others.
    """

    def __init__(self, processor: Any, *, fps: float, max_pixels: int | None, factor: int) -> None:
        self._processor = processor
        self._fps, self._max_pixels, self._factor = fps, max_pixels, factor
        # A response is text: what it spells is no special token, and it closes no turn. The switch is
        # state of the tokenizer, which several threads share, so responses have one of their own.
        self._responses = copy.deepcopy(processor.tokenizer)
        self._responses.split_special_tokens = True

    def refused(self, row: Row) -> str | None:
        """Why no judge can be asked about this row, if that is so; see
        :func:`backend.engines.processing.prompt_text`."""
        asked = Request(id=0, kind=row.kind, messages=judge_messages(row.kind, row.instruction), media={})
        try:
            prompt_text(self._processor, asked)
        except EngineError as error:
            return error.message
        return None

    def prompt(self, row: Row) -> dict[str, torch.Tensor]:
        """What the model is given before it answers; ``input_ids`` is ``[1, L]`` int64.

        Raises:
            EngineError: See :meth:`refused`.
            MediaError: A medium is missing or broken.
        """
        request = request_of(row, fps=self._fps, max_pixels=self._max_pixels, factor=self._factor)
        return dict(prompt_inputs(self._processor, [request]))

    def sample(self, row: Row) -> tuple[dict[str, torch.Tensor], int]:
        """The prompt with the response and the end of the turn behind it, and how many tokens these
        two are: those are learned, and no others.

        Raises:
            EngineError: See :meth:`refused`.
            MediaError: A medium is missing or broken.
        """
        import torch

        inputs = self.prompt(row)
        written = self._responses(row.response, add_special_tokens=False).input_ids
        response = torch.tensor([[*written, self._responses.eos_token_id]])
        shape = inputs["input_ids"].shape
        for name, value in inputs.items():
            if name == "input_ids":
                inputs[name] = torch.cat([value, response], dim=1)
            elif value.shape == shape:
                # Attended to like the prompt, and of no medium.
                fill = torch.ones_like if name == "attention_mask" else torch.zeros_like
                inputs[name] = torch.cat([value, fill(response)], dim=1)
        return inputs, response.shape[1]
