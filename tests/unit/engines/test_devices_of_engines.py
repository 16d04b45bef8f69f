"""An engine on a named GPU takes that one, in a process that is shown it alone or is shown all."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from backend.domain.devices import STANDS_FOR, VISIBLE, shown_gpus
from backend.engines import transformers, vllm
from backend.engines.base import EngineOptions

TORCH = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True))


def test_transformers_counts_as_its_process_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STANDS_FOR, raising=False)
    assert transformers._device(TORCH, "cuda:3,1") == "cuda:3"
    for name, value in shown_gpus("cuda:3,1", {VISIBLE: "1,2,3"}, lambda: None).items():
        monkeypatch.setenv(name, value)
    assert os.environ[VISIBLE] == "3,1"
    assert transformers._device(TORCH, "cuda:3,1") == "cuda:0", "the first of what it is shown: 3"
    assert transformers._device(TORCH, "cpu") == "cpu"


def test_vllm_is_shown_the_named_gpus_before_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    environment: dict[str, str] = {VISIBLE: "0,1,2,3"}
    monkeypatch.setattr(os, "environ", environment)
    vllm._set_environment(EngineOptions(device="cuda:3,2"), on_cpu=False)
    assert environment[VISIBLE] == "3,2"
    before = dict(environment)
    vllm._set_environment(EngineOptions(device="cuda:3,2"), on_cpu=False)
    assert environment == before
