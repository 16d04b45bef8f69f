"""The smallest stand-in for a LightRFT checkout: its interface as Winnow's entry uses it, and its faults.

Like the real one (read at 49e62cb) its data set keeps of a video's timing nothing, pads on the left and
shuffles; its model counts the attention mask for positions, and is loaded by a class that is gone.
"""

from __future__ import annotations

from pathlib import Path

DATASET = """
import random
import torch

class GRMDataset:
    def __init__(self, paths, processor, tokenizer, max_length=None, config=None, is_training=True):
        self.processor, self.tokenizer, self.config = processor, tokenizer, config
        self.is_training = is_training
        self.handlers = {"hpdv3": None}
        self.data = []
        for place in paths:
            source, path = place.split(":", 1)
            try:
                items = self.handlers[source].load_data(path)
            except Exception as error:
                print("passed over", path, error)
                continue
            self.data += [{**item, "source": source} for item in items]
        random.shuffle(self.data)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        raise NotImplementedError("frames and pixels of its own")

    def collate_fn(self, batch):
        def padded(tensors, value):
            longest = max(tensor.shape[-1] for tensor in tensors)
            return torch.stack([
                torch.nn.functional.pad(one, (longest - one.shape[-1], 0), value=value)
                for one in tensors
            ])
        def joined(name):
            found = [inputs[name] for inputs, _, _ in batch if name in inputs]
            return torch.cat(found) if found else None
        labels = [labels for _, labels, _ in batch if labels is not None]
        return (
            padded([inputs["input_ids"] for inputs, _, _ in batch], self.tokenizer.pad_token_id),
            padded([inputs["attention_mask"] for inputs, _, _ in batch], 0),
            joined("pixel_values"), joined("image_grid_thw"),
            joined("pixel_values_videos"), joined("video_grid_thw"),
            padded(labels, -100) if labels else None,
            [told for _, _, told in batch],
        )
"""

MODEL = """
import torch
from transformers import AutoModelForVision2Seq

class GenerativeRewardModelVL(torch.nn.Module):
    def __init__(self, pretrain, use_flash_attention_2=True, bf16=True):
        super().__init__()
        self.model = AutoModelForVision2Seq.from_pretrained(pretrain, attn_implementation="eager")

    def forward(self, sequences, attention_mask=None, labels=None, pixel_values=None,
                image_grid_thw=None, pixel_values_videos=None, video_grid_thw=None,
                return_outputs=True):
        positions = (attention_mask.long().cumsum(-1) - 1).masked_fill(attention_mask == 0, 1)
        output = self.model(
            input_ids=sequences, attention_mask=attention_mask, position_ids=positions,
            pixel_values=pixel_values, image_grid_thw=image_grid_thw,
            pixel_values_videos=pixel_values_videos, video_grid_thw=video_grid_thw, labels=labels,
        )
        return output if return_outputs else output.logits

    @torch.no_grad()
    def generate(self, input_ids, attention_mask=None, pixel_values=None, image_grid_thw=None,
                 pixel_values_videos=None, video_grid_thw=None, max_new_tokens=None, **others):
        return self.model.generate(
            input_ids=input_ids, attention_mask=attention_mask, pixel_values=pixel_values,
            image_grid_thw=image_grid_thw, pixel_values_videos=pixel_values_videos,
            video_grid_thw=video_grid_thw, max_new_tokens=max_new_tokens, use_cache=True, **others,
        )

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs):
        self.model.gradient_checkpointing_enable(
            gradient_checkpointing_kwargs=gradient_checkpointing_kwargs
        )
"""

UTILS = """
from transformers import AutoProcessor

def get_tokenizer_processor_vl(pretrain, model, padding_side="left", use_fast=True):
    processor = AutoProcessor.from_pretrained(pretrain)
    return processor.tokenizer, processor
"""


def save_stand_in(home: Path) -> Path:
    """Lay it out as a checkout."""
    for name, text in (
        ("lightrft/__init__.py", ""),
        ("lightrft/utils/__init__.py", UTILS),
        ("lightrft/models/__init__.py", ""),
        ("lightrft/models/grm_vl.py", MODEL),
        ("lightrft/datasets/__init__.py", ""),
        ("lightrft/datasets/grm_dataset.py", DATASET),
        ("examples/grm_training/train_grm_vl.py", ""),
    ):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return home


def parts() -> tuple[type, type]:
    """Fresh ``GRMDataset`` and ``GenerativeRewardModelVL``, as they are before anything is mended."""
    found: dict[str, type] = {}
    exec(DATASET, found)
    exec(MODEL, found)
    return found["GRMDataset"], found["GenerativeRewardModelVL"]
