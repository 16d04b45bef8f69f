from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backend.engines import registry
from backend.engines.base import EngineOptions
from backend.errors import EngineError, EngineUnavailable, UsageError

MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch):
    """``here(packages, gpu)`` says what is installed and whether there is a GPU."""

    def arrange(*packages: str, gpu: bool = False) -> None:
        monkeypatch.setattr(registry, "_installed", lambda name: name in packages)
        monkeypatch.setattr(registry, "has_gpu", lambda: gpu)

    return arrange


EMBEDDED = ("torch", "torchvision", "transformers")


@pytest.mark.parametrize(
    ("packages", "gpu", "endpoints", "chosen"),
    [
        (("vllm", *EMBEDDED), True, ("http://h/v1",), "openai"),
        (("vllm", *EMBEDDED), True, (), "vllm"),
        (("vllm", *EMBEDDED), False, (), "transformers"),
        (EMBEDDED, True, (), "transformers"),
        (("vllm", "torch"), False, (), "vllm"),
    ],
)
def test_auto_takes_the_best_that_can_run_and_says_why(here, packages, gpu, endpoints, chosen):
    here(*packages, gpu=gpu)
    options = EngineOptions(endpoints=endpoints)
    resolved = registry.resolve_engine("auto", model=MODEL, options=options)
    assert resolved.name == chosen and resolved.why


def test_what_is_not_installed_is_refused_with_the_way_to_install_it(here):
    here()
    for name in ("auto", "vllm", "transformers"):
        with pytest.raises(EngineUnavailable) as caught:
            registry.resolve_engine(name, model=MODEL, options=EngineOptions())
        assert "pip install" in (caught.value.hint or "")


def test_an_unknown_engine_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError) as caught:
        registry.resolve_engine("sglang", model=MODEL, options=EngineOptions())
    assert all(name in (caught.value.hint or "") for name in ("auto", "vllm", "openai"))


@pytest.mark.parametrize("name", ["openai", "scripted"])
def test_an_engine_without_what_it_cannot_do_without_is_refused(name):
    with pytest.raises(UsageError):
        registry.resolve_engine(name, model=MODEL, options=EngineOptions())


def test_a_folder_that_is_no_model_is_refused_and_a_hub_name_passes(tmp_path: Path):
    registry.check_model(MODEL)
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(EngineError) as caught:
            registry.check_model(str(path))
        assert caught.value.hint
    (tmp_path / "config.json").write_text("{}")
    registry.check_model(str(tmp_path))


def test_asking_what_there_is_imports_nothing_heavy():
    code = (
        "import sys; from backend.engines import registry as r; r.available_engines();"
        "assert not {'torch', 'transformers', 'vllm', 'httpx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
