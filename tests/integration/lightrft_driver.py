"""Puts a real LightRFT checkout through Winnow's command and exports, as far as that goes without CUDA.

Usage: ``python lightrft_driver.py HOME JUDGE ENTRY OUT.json ARGUMENTS…``, or ``python lightrft_driver.py
--self-check HOME JUDGE ENTRY < job.json``, in LightRFT's interpreter, or in any that has torch and
transformers: packages that are missing are stubbed here, and listed in the result. LightRFT's own modules
are real, and so is its parser.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

MAY_LACK = (
    "deepspeed",
    "librosa",
    "loguru",
    "qwen_vl_utils",
    "datasets",
    "easydict",
    "einops",
    "flash_attn",
    "sglang",
    "vllm",
    "wandb",
    "decord",
    "bitsandbytes",
    "loralib",
    "mathruler",
    "nltk",
    "sympy",
    "matplotlib",
    "ring_flash_attn",
    "peft",
    "latex2sympy2",
    "pylatexenc",
    "orjson",
)
stubbed: set[str] = set()


class _Stub(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = type(name, (), {}) if name[:1].isupper() else MagicMock(name=name)
        setattr(self, name, value)
        return value


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what nobody else does, among the packages that may be missing."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        top = name.partition(".")[0]
        if top not in MAY_LACK or (top != name and top not in stubbed):
            return None
        stubbed.add(top)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> ModuleType:
        return _Stub(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__path__ = []


class Parsed(Exception):
    """What LightRFT's parser made of the command, thrown where the training would begin."""


def parse(entry: str, arguments: list[str]) -> dict[str, Any]:
    """Run Winnow's entry, or LightRFT's script, up to the parsed arguments."""
    import lightrft.strategy

    def caught(args: Any) -> None:
        raise Parsed(dict(vars(args)))

    lightrft.strategy.get_strategy = caught
    sys.argv = [entry, *arguments]
    try:
        runpy.run_path(entry, run_name="__main__")
    except Parsed as parsed:
        found = parsed.args[0]
        return {name: value for name, value in found.items() if _plain(value)}
    raise SystemExit("the script ended before it began to train")


def load(processor: Any, parsed: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows as ``GRMDataset`` loads them, after the entry has seen to it."""
    from lightrft.datasets.grm_dataset import GRMDataset

    dataset = GRMDataset(
        parsed["train_data"],
        processor=processor,
        tokenizer=processor.tokenizer,
        max_length=parsed["prompt_max_len"],
        config={"task_instruction": None, "video_fps": parsed["fps"], "max_pixels": parsed["max_pixels"]},
    )
    rows = []
    for place in range(len(dataset)):
        inputs, labels, told = dataset[place]
        learned = int((labels != -100).sum())
        rows.append({**told, "tokens": inputs["input_ids"][0].tolist(), "learned": learned})
    return rows


def _import_what_is_here() -> None:
    """Before anything is stubbed: packages ask at import which others there are."""
    import transformers
    import transformers.audio_utils
    import transformers.trainer  # noqa: F401

    for name in ("peft", "datasets", "accelerate"):
        if importlib.util.find_spec(name):
            __import__(name)
    import torch

    if not torch.cuda.is_available():
        # Asked for at import, as a default argument.
        torch.cuda.current_device = lambda: 0
        stubbed.add("torch.cuda.current_device")


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool | list | tuple)


def main() -> None:
    checks = sys.argv[1] == "--self-check"
    home, judge, entry, *rest = sys.argv[2 if checks else 1 :]
    sys.path.insert(0, home)
    _import_what_is_here()
    sys.meta_path.append(_Finder())
    if checks:
        sys.argv = [entry, "--self-check"]
        runpy.run_path(entry, run_name="__main__")
        return
    out, *arguments = rest
    parsed = parse(entry, arguments)
    from transformers import AutoProcessor

    rows = load(AutoProcessor.from_pretrained(judge), parsed)
    result = {"parsed": parsed, "rows": rows, "stubbed": sorted(stubbed)}
    Path(out).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
