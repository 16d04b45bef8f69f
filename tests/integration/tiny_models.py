"""Models of the Qwen-VL family with random weights: small enough to be made in a test.

What they write is nonsense. Their shapes, processors and positions are those of the real ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backend.demo.judge_model import SPECIAL_TOKENS, build_tokenizer

_MEAN = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_TEXT: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 4096,
}


def save_qwen2_vl(folder: Path) -> Path:
    """A Qwen2-VL: patches of 14 pixels, absolute time steps."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    tokenizer, ids = _tokenizer()
    config = Qwen2VLConfig(
        text_config={
            **_TEXT,
            **_vocabulary(tokenizer, ids),
            "rope_parameters": {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 10_000.0},
        },
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 64,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        **_places(ids),
    )
    return _save(Qwen2VLForConditionalGeneration, config, tokenizer, folder, "Qwen2VL", 14)


def save_qwen3_vl(folder: Path) -> Path:
    """A Qwen3-VL: patches of 16 pixels, deep-stacked features, times written as text."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    tokenizer, ids = _tokenizer()
    config = Qwen3VLConfig(
        text_config={
            **_TEXT,
            **_vocabulary(tokenizer, ids),
            "head_dim": 32,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
                "rope_theta": 10_000.0,
            },
        },
        vision_config={
            "depth": 3,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 64,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
        **_places(ids),
    )
    return _save(Qwen3VLForConditionalGeneration, config, tokenizer, folder, "Qwen3VL", 16)


def _tokenizer() -> tuple[Any, dict[str, int]]:
    tokenizer = build_tokenizer()
    return tokenizer, {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}


def _vocabulary(tokenizer: Any, ids: dict[str, int]) -> dict[str, Any]:
    return {
        "vocab_size": (len(tokenizer) + 63) // 64 * 64,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }


def _places(ids: dict[str, int]) -> dict[str, int]:
    return {
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }


def _save(model: Any, config: Any, tokenizer: Any, folder: Path, family: str, patch: int) -> Path:
    import torch

    torch.manual_seed(0)
    model(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    area = (2 * patch) ** 2
    video = "Qwen3VLVideoProcessor" if patch == 16 else "Qwen2VLVideoProcessor"
    common = {
        "processor_class": f"{family}Processor",
        "patch_size": patch,
        "merge_size": 2,
        "temporal_patch_size": 2,
        **_MEAN,
        "size": {"shortest_edge": 4 * area, "longest_edge": 64 * area},
    }
    for name, value in (
        ("preprocessor_config.json", {"image_processor_type": "Qwen2VLImageProcessor", **common}),
        ("video_preprocessor_config.json", {"video_processor_type": video, **common}),
    ):
        (folder / name).write_text(json.dumps(value))
    return folder
