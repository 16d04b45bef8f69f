"""From requests to a model's inputs by its Hugging Face processor: the one way, in judging and training.

The transformers engine and the trainers that Winnow feeds call :func:`prompt_inputs`, so that a judge is
trained on the very token ids and pixels that it is asked with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.domain.pairs import MediaKind
from backend.domain.prompts import TextPart
from backend.engines.base import Request
from backend.engines.chat import media_in_order, template_messages
from backend.errors import EngineError
from backend.media.video import VideoFrames


def prompt_inputs(processor: Any, requests: Sequence[Request]) -> Any:
    """Token ids, masks and pixels of requests of one kind, padded on the left.

    Args:
        processor: A Qwen2-VL processor, or one with its interface.

    Raises:
        EngineError: See :func:`prompt_text`.

    Returns:
        transformers' ``BatchFeature`` of torch tensors; ``input_ids`` is ``[B, L]`` int64, pixels are
        float32 patches in the order of the requests.
    """
    import torch

    texts = [prompt_text(processor, request) for request in requests]
    media = [medium for request in requests for medium in media_in_order(request)]
    arguments: dict[str, Any] = {"text": texts, "return_tensors": "pt", "padding": True, "padding_side": "left"}
    if requests[0].kind is MediaKind.IMAGE:
        return processor(images=media, **arguments)
    videos = [medium for medium in media if isinstance(medium, VideoFrames)]
    inputs = processor(
        videos=[video.frames.transpose(0, 3, 1, 2) for video in videos],
        video_metadata=[video.metadata() for video in videos],
        **_video_arguments(processor),
        **arguments,
    )
    if "second_per_grid_ts" in inputs:
        # transformers 4 takes two frames a second for granted, whatever the metadata say.
        step = processor.video_processor.temporal_patch_size
        seconds = [step / video.sampled_fps for video in videos]
        inputs["second_per_grid_ts"] = torch.tensor(seconds)
    return inputs


def prompt_text(processor: Any, request: Request) -> str:
    """The prompt of one request as its model's chat template writes it.

    Raises:
        EngineError: A text of the conversation spells a token that ends a turn or is the place of a
            medium. A caption's spellings are broken before (see :mod:`backend.domain.captions`), so
            it is one that this model alone has, or it stands in the task instruction.
    """
    parts = (part for message in request.messages for part in message.parts)
    words = "\0".join(part.text for part in parts if isinstance(part, TextPart))
    for token in _tokens(processor):
        if token in words:
            raise EngineError(
                f"the instruction or caption spells {token}, a control token of this model",
                hint="take it out of the task instruction, or out of the caption",
            )
    text: str = processor.apply_chat_template(template_messages(request), tokenize=False, add_generation_prompt=True)
    return text


def _tokens(processor: Any) -> list[str]:
    """What ends a turn, and what each medium is put in place of."""
    tokenizer = getattr(processor, "tokenizer", processor)
    named = [getattr(tokenizer, f"{name}_token", None) for name in ("bos", "eos", "pad")]
    named += [getattr(processor, f"{kind.value}_token", None) for kind in MediaKind]
    return [token for token in named if isinstance(token, str) and token]


def _video_arguments(processor: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"do_sample_frames": False}
    if hasattr(processor.video_processor, "cap_pixels_per_frame"):
        # The behaviour of the family's own code, said outright: the default is about to change.
        arguments["cap_pixels_per_frame"] = True
    return arguments
