"""Fixtures that unit and integration tests share."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.postgres import database, either_url, either_url_of_module, postgres, why_not

__all__ = ["database", "either_url", "either_url_of_module", "postgres"]

SHIPPED_JUDGE = Path(__file__).parent.parent / "backend" / "demo" / "judge"
_WITHOUT_TORCH = find_spec("torch") is None
_NEEDS_TORCH = re.compile(r"^(import|from) (torch|torchvision|transformers|peft|safetensors)\b", re.M)


def pytest_report_header() -> list[str]:
    """A run that leaves something out says so."""
    left_out = "torch is not installed: files that import it, and tests marked torch, are left out"
    reason = why_not()
    no_postgres = f"{reason}: the tests on it are skipped"
    return [left_out] * _WITHOUT_TORCH + [no_postgres] * bool(reason)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what could not even be imported (``make test-python``)."""
    if not _WITHOUT_TORCH or collection_path.suffix != ".py":
        return None
    return bool(_NEEDS_TORCH.search(collection_path.read_text(encoding="utf-8"))) or None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs torch where it is not installed."""
    if _WITHOUT_TORCH and item.get_closest_marker("torch"):
        pytest.skip("torch is not installed")


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
