"""The demo judge before training: a Qwen2.5-VL of about three million parameters, and its tokenizer.

It is a Qwen2.5-VL in every respect but size, so that transformers, vLLM and trainers take it as they
take the real one. Its tokenizer holds each long line of the default task instruction as one token:
the judge is given the product's real prompt, and a small model can afford to read it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backend.demo.scenes import DEFECTS, random_caption, scene_for
from backend.demo.wording import verdict_text
from backend.domain.pairs import MediaKind
from backend.domain.prompts import CAPTION_PLACE, default_instruction
from backend.files import make_folder, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}"
    "{% if c['type'] == 'image' or c['type'] == 'image_url' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif c['type'] == 'video' or c['type'] == 'video_url' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
"""Ordinary tokens of their own (not special: they are part of the text a judge writes)."""

MIN_LINE = 24
"""Instruction lines at least this long become one token; shorter ones also occur in answers."""

MAX_PIXELS = 7_500
"""The judge looks at 84 x 84 pixels (a little more, so that rounding never gives 56 x 84)."""

_PROCESSOR = {
    "patch_size": 14,
    "merge_size": 2,
    "temporal_patch_size": 2,
    "min_pixels": 3_136,
    "max_pixels": MAX_PIXELS,
    "size": {"shortest_edge": 3_136, "longest_edge": MAX_PIXELS},
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def instruction_lines() -> list[str]:
    """The long lines of all default instructions, which the tokenizer holds whole."""
    lines: dict[str, None] = {}
    for kind in MediaKind:
        for use_cot in (True, False):
            for line in default_instruction(kind, use_cot=use_cot).splitlines():
                if len(line) >= MIN_LINE and CAPTION_PLACE not in line and "<answer>" not in line:
                    lines[line] = None
    return list(lines)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of 512 entries trained on the judge's own texts, and the whole-line tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_corpus(), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
    )
    whole = [*TAGS, *instruction_lines()]
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in whole])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _corpus() -> Iterator[str]:
    rng = random.Random(0)
    for _ in range(600):
        kind = rng.choice(list(MediaKind))
        caption = random_caption(rng)
        sides = [None, rng.choice(DEFECTS[kind])]
        rng.shuffle(sides)
        first, second = (scene_for(caption, kind, defect, rng) for defect in sides)
        yield verdict_text(caption, first, second)
        yield f"**Image 1:** **Image 2:** **Video 1:** **Video 2:** Caption: {caption.text}"
        yield "system\nuser\nassistant\n"


def build_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLForConditionalGeneration:
    """The model with random weights; seed torch first for the same ones."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    hidden = 192
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": (len(tokenizer) + 63) // 64 * 64,
            "hidden_size": hidden,
            "intermediate_size": 3 * hidden,
            "num_hidden_layers": 4,
            "num_attention_heads": hidden // 32,
            "num_key_value_heads": hidden // 64,
            "max_position_embeddings": 8192,
            "rope_parameters": {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 10_000.0},
            "tie_word_embeddings": True,
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 3,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_heads": 4,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": hidden,
            "fullatt_block_indexes": [0, 1, 2],
            "window_size": 112,
            # With the family's 4, two frame groups stand 4 positions apart, more than a frame of 3 x 3
            # tokens is wide; transformers counts on from the width and vLLM from the largest
            # position, so the text after a small video would stand elsewhere in each. With 2 they agree.
            "tokens_per_second": 2,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    return Qwen2_5_VLForConditionalGeneration(config)


def save_processor(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write tokenizer and processor files, so that ``AutoProcessor`` loads ``folder``."""
    make_folder(folder)
    tokenizer.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {"image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor", **_PROCESSOR},
    )
    write_json(
        folder / "video_preprocessor_config.json",
        {"video_processor_type": "Qwen2VLVideoProcessor", "processor_class": "Qwen2_5_VLProcessor", **_PROCESSOR},
    )
