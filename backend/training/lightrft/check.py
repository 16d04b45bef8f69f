"""The self-consistency check of LightRFT: the losses that its own data set and model give.

Runs in LightRFT's interpreter, after the entry has seen to what the model is shown. It goes as far as that
goes without CUDA: ``GRMDataset`` and its batches, ``GenerativeRewardModelVL`` and its ``forward``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.domain.pairs import MediaKind
from backend.files import write_json
from backend.training.data import Row
from backend.training.lightrft.rows import T2I_SOURCE, T2V_SOURCE
from backend.training.self_check import Job, Losses, in_order, token_losses

_SOURCES = {MediaKind.IMAGE: T2I_SOURCE, MediaKind.VIDEO: T2V_SOURCE}


def lightrft_losses(job: Job) -> Losses:
    """By LightRFT's own batches and model, in float32."""
    import torch
    from lightrft.datasets.grm_dataset import GRMDataset
    from lightrft.models.grm_vl import GenerativeRewardModelVL
    from lightrft.utils import get_tokenizer_processor_vl

    judge = GenerativeRewardModelVL(job.model, use_flash_attention_2=False, bf16=False)
    judge = judge.float().eval()
    tokenizer, processor = get_tokenizer_processor_vl(job.model, judge.model, "left")
    found = {}
    with tempfile.TemporaryDirectory(prefix="winnow-check-") as folder:
        dataset = GRMDataset(
            write_rows(Path(folder), job.rows),
            processor=processor,
            tokenizer=tokenizer,
            config={"video_fps": job.fps, "max_pixels": job.max_pixels},
        )
        for start in range(0, len(dataset), job.together):
            places = range(start, min(start + job.together, len(dataset)))
            batch = dataset.collate_fn([dataset[place] for place in places])
            ids, mask, pixels, grid, video_pixels, video_grid, labels, told = batch
            with torch.no_grad():
                # As its trainer calls it.
                logits = judge(
                    ids.squeeze(1),
                    attention_mask=mask.squeeze(1),
                    pixel_values=pixels,
                    image_grid_thw=grid,
                    pixel_values_videos=video_pixels,
                    video_grid_thw=video_grid,
                    return_outputs=False,
                )
            losses = token_losses(logits, labels.squeeze(1), tokenizer)
            for one, row in zip(losses, told, strict=True):
                found[*row["media"], row["response"]] = one
    return in_order(job.rows, found)


def write_rows(folder: Path, rows: Sequence[Row]) -> list[str]:
    """The rows as an export holds them; ``SOURCE:PATH`` of each medium."""
    sources = []
    for kind, source in _SOURCES.items():
        written: list[dict[str, Any]] = [
            {
                "conversations": [{"from": "human", "value": row.instruction}, {"from": "gpt", "value": row.response}],
                "images": row.media,
                **({"video_fps": 0} if kind is MediaKind.VIDEO else {}),
            }
            for row in rows
            if row.kind is kind
        ]
        if written:
            path = folder / f"{kind.value}.json"
            write_json(path, written)
            sources.append(f"{source}:{path}")
    return sources
