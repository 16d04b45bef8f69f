"""The demo's judge with its special tokens at Qwen's own ids, for programs that know media by those."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

IDS = {
    "<|endoftext|>": 151_643,
    "<|im_start|>": 151_644,
    "<|im_end|>": 151_645,
    "<|vision_start|>": 151_652,
    "<|vision_end|>": 151_653,
    "<|vision_pad|>": 151_654,
    "<|image_pad|>": 151_655,
    "<|video_pad|>": 151_656,
}
SIZE = 151_680


def with_qwens_ids(judge: Path, out: Path) -> Path:
    """A copy of a judge that says the same: its tokens have other numbers, its embeddings other rows."""
    shutil.copytree(judge, out)
    tokenizer = json.loads((out / "tokenizer.json").read_text())
    moved: dict[int, int] = {}
    for token in tokenizer["added_tokens"]:
        if token["content"] in IDS:
            moved[token["id"]] = token["id"] = IDS[token["content"]]
    for word in tokenizer["model"]["vocab"].keys() & IDS.keys():
        tokenizer["model"]["vocab"][word] = IDS[word]
    (out / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = _renumbered(json.loads((out / "config.json").read_text()), moved)
    (out / "config.json").write_text(json.dumps(config))
    weights = load_file(out / "model.safetensors")
    (name,) = (name for name in weights if name.endswith("embed_tokens.weight"))
    old = weights[name]
    # A token that is never said: its score is that of the least likely one, or lower.
    new = old.mean(dim=0, keepdim=True).repeat(SIZE, 1)
    new[: old.shape[0]] = old
    for before, after in moved.items():
        new[after] = old[before]
        new[before] = new[-1]
    weights[name] = new.contiguous()
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    return out


def _renumbered(config: dict[str, Any], moved: dict[int, int]) -> dict[str, Any]:
    for name, value in config.items():
        if isinstance(value, dict):
            _renumbered(value, moved)
        elif name.endswith("_token_id") and isinstance(value, int):
            config[name] = moved.get(value, value)
        elif name == "vocab_size":
            config[name] = SIZE
    return config
