"""From requests to a model's inputs by its Hugging Face processor: the one way, in judging and training.

The transformers engine and the local trainer both call :func:`prompt_inputs`, so that a judge is
trained on the very token ids and pixels that it is asked with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.domain.pairs import MediaKind
from backend.engines.base import Request
from backend.engines.chat import media_in_order, template_messages
from backend.media.video import VideoFrames


def prompt_inputs(processor: Any, requests: Sequence[Request]) -> Any:
    """Token ids, masks and pixels of requests of one kind, padded on the left.

    Args:
        processor: A Qwen2-VL processor, or one with its interface.

    Returns:
        transformers' ``BatchFeature`` of torch tensors; ``input_ids`` is ``[B, L]`` int64, pixels are
        float32 patches in the order of the requests.
    """
    import torch

    texts = [
        processor.apply_chat_template(
            template_messages(request), tokenize=False, add_generation_prompt=True
        )
        for request in requests
    ]
    media = [medium for request in requests for medium in media_in_order(request)]
    arguments: dict[str, Any] = {
        "text": texts,
        "return_tensors": "pt",
        "padding": True,
        "padding_side": "left",
    }
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


def _video_arguments(processor: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"do_sample_frames": False}
    if hasattr(processor.video_processor, "cap_pixels_per_frame"):
        # The behaviour of the family's own code, said outright: the default is about to change.
        arguments["cap_pixels_per_frame"] = True
    return arguments
