"""Fixtures that unit and integration tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHIPPED_JUDGE = Path(__file__).parent.parent / "backend" / "demo" / "judge"


@pytest.fixture(scope="session")
def judge_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real, small Qwen2.5-VL: the demo judge, else an untrained one of the same shape."""
    if (SHIPPED_JUDGE / "model.safetensors").is_file():
        return SHIPPED_JUDGE
    import torch

    from backend.demo.judge_model import build_model, build_tokenizer, save_processor

    folder = tmp_path_factory.mktemp("judge")
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    build_model(tokenizer).save_pretrained(folder)
    save_processor(tokenizer, folder)
    return folder
