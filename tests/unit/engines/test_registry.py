from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from backend.engines import registry, transformers, vllm
from backend.engines.base import EngineOptions
from backend.engines.models import check_model, pixel_factor
from backend.errors import EngineError, EngineUnavailable, UsageError

MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch):
    """``here(packages, gpu)`` says what is installed and whether there is a GPU."""

    def arrange(*packages: str, gpu: bool = False) -> None:
        for module in (transformers, vllm):
            monkeypatch.setattr(module, "missing", lambda *names: [one for one in names if one not in packages])
        monkeypatch.setattr(vllm, "has_gpu", lambda: gpu)

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
    check_model(MODEL)
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(EngineError) as caught:
            check_model(str(path))
        assert caught.value.hint
    for broken in ("{", "[]", "{}"):
        (tmp_path / "config.json").write_text(broken)
        with pytest.raises(EngineError, match="names no model"):
            check_model(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_vl"}')
    check_model(str(tmp_path))


@pytest.mark.parametrize("name", ["auto", "transformers", "vllm"])
def test_a_folder_that_is_no_model_is_refused_when_the_engine_is_chosen_and_when_it_is_loaded(
    here, tmp_path: Path, name: str
):
    here("vllm", *EMBEDDED)
    with pytest.raises(EngineError, match=r"config\.json"):
        registry.resolve_engine(name, model=str(tmp_path), options=EngineOptions())
    if name != "auto":
        with pytest.raises(EngineError, match=r"config\.json"):
            registry.load_engine(name, str(tmp_path), EngineOptions())


def test_auto_keeps_off_the_gpu_when_the_device_is_the_cpu(here, monkeypatch):
    on_cpu = EngineOptions(device="cpu")
    here("vllm", *EMBEDDED, gpu=True)
    resolved = registry.resolve_engine("auto", model=MODEL, options=on_cpu)
    assert resolved.name == "transformers" and "CPU" in resolved.why
    here("vllm", gpu=True)
    monkeypatch.setattr("backend.engines.vllm.is_cpu_build", lambda: False)
    for name in ("auto", "vllm"):
        with pytest.raises(EngineUnavailable, match="built for GPUs"):
            registry.resolve_engine(name, model=MODEL, options=on_cpu)
    monkeypatch.setattr("backend.engines.vllm.is_cpu_build", lambda: True)
    assert registry.resolve_engine("auto", model=MODEL, options=on_cpu).name == "vllm"


@pytest.mark.parametrize(
    ("files", "factor"),
    [
        ({"preprocessor_config.json": {"patch_size": 16, "merge_size": 2}}, 32),
        ({"preprocessor_config.json": {"patch_size": 14, "merge_size": 2}}, 28),
        ({"config.json": {"model_type": "qwen3_vl"}}, 32),
        ({"config.json": {"model_type": "qwen2_5_vl"}, "preprocessor_config.json": []}, 28),
        ({}, 28),
    ],
)
def test_a_models_folder_tells_how_large_its_tokens_are(tmp_path: Path, files, factor):
    for name, value in files.items():
        (tmp_path / name).write_text(json.dumps(value))
    assert pixel_factor(str(tmp_path)) == factor


def test_a_hub_name_tells_how_large_its_tokens_are():
    assert pixel_factor("Qwen/Qwen3-VL-8B-Instruct") == 32
    assert pixel_factor("Qwen/Qwen2.5-VL-7B-Instruct") == 28


def test_asking_what_there_is_imports_nothing_heavy():
    code = (
        "import sys; from backend.engines import registry as r; r.available_engines();"
        "assert not {'torch', 'transformers', 'vllm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
