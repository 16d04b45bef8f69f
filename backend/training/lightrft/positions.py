"""Gives the model that LightRFT trains its own positions back.

Runs in LightRFT's interpreter. ``GenerativeRewardModelVL`` (read at 49e62cb) counts the attention mask and
gives that to the model as its positions. A Qwen-VL model has three-part positions (M-RoPE: time, height,
width), which every inference engine uses. On the demo judge the difference costs two nats a token.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from backend.training.lightrft.rows import without_seconds


def give_own_positions(model_class: Any) -> None:
    """See to it that ``GenerativeRewardModelVL`` leaves the positions to its model."""
    generate = model_class.generate

    def forward(
        judge: Any,
        sequences: Any,
        attention_mask: Any = None,
        labels: Any = None,
        pixel_values: Any = None,
        image_grid_thw: Any = None,
        pixel_values_videos: Any = None,
        video_grid_thw: Any = None,
        return_outputs: bool = True,
    ) -> Any:
        output = judge.model(
            input_ids=sequences,
            attention_mask=attention_mask,
            labels=labels,
            pixel_values=pixel_values,
            image_grid_thw=image_grid_thw,
            pixel_values_videos=pixel_values_videos,
            use_cache=False,
            **placed(judge.model, sequences, video_grid_thw),
        )
        return output if return_outputs else output.logits

    @functools.wraps(generate)
    def generate_placed(judge: Any, input_ids: Any, *rest: Any, video_grid_thw: Any = None, **named: Any) -> Any:
        where = placed(judge.model, input_ids, video_grid_thw)
        return generate(judge, input_ids, *rest, **named, **where)

    model_class.forward = forward
    model_class.generate = generate_placed


def placed(model: Any, input_ids: Any, video_grid_thw: Any) -> dict[str, Any]:
    """What a model makes its own positions of, as far as its class knows these names.

    Returns:
        ``video_grid_thw``, and where they are known ``mm_token_type_ids`` (``[B, L]``: 1 for a place of
        an image, 2 for one of a video) and ``second_per_grid_ts``.
    """
    import torch

    grid, seconds = without_seconds(video_grid_thw)
    config = model.config
    kinds = torch.zeros_like(input_ids)
    kinds[input_ids == config.image_token_id] = 1
    kinds[input_ids == config.video_token_id] = 2
    offered = {"mm_token_type_ids": kinds, "second_per_grid_ts": seconds}
    # PEFT's wrapper takes whatever it is given; who is inside does not.
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    known = inspect.signature(inner.forward).parameters
    return {
        "video_grid_thw": grid,
        **{name: value for name, value in offered.items() if name in known and value is not None},
    }
