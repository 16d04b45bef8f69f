"""``scripts/check_lightrft.py`` itself, on answers of ``winnow`` that are made up: what it lets pass."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "check_lightrft.py"
LOADED = "Loaded the checkpoint: /o/checkpoints, consumed_samples: "


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_lightrft", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda _s: None)
    return module


def now(step: int, status: str = "running", saved: int = 0) -> dict[str, Any]:
    """What ``show`` says: epochs of 7 steps, 84 in all."""
    return {
        "status": status,
        "error": None,
        "metrics": [],
        "progress": {"step": step, "steps": 84},
        "spec": {"max_epochs": 12, "train_batch_size": 2},
        "checkpoints": [{"step": saved, "final": False, "judge": False}] if saved else [],
    }


def play(script: ModuleType, shows: list[dict[str, Any]], log: str) -> None:
    """Check a resume against what ``show`` says by and by; its last word stays."""
    left: Iterator[dict[str, Any]] = iter(shows)
    last = shows[-1]

    def winnow(_workspace: Path, *words: object) -> str:
        if words[1] == "show":
            return json.dumps(next(left, last))
        return log if words[1] == "log" else ""

    script.winnow = winnow  # type: ignore[attr-defined]
    script.check_resume(Path(), 2)


BEFORE = [now(2), now(6, saved=6), now(9, saved=8), now(9, "cancelled", saved=8)]


def test_a_resume_that_goes_on_to_its_announced_end_passes(script: ModuleType) -> None:
    play(script, [*BEFORE, now(9), now(10), now(84, "finished")], f"x\n{LOADED}16\n")


@pytest.mark.parametrize(
    ("after", "log", "said"),
    [
        ([now(9), now(9, "failed")], f"{LOADED}16", "failed"),
        ([now(10), now(84, "finished")], "", "from step 0"),
        ([now(10), now(84, "finished")], f"{LOADED}8", "from step 4"),
        ([now(10), now(92, "finished")], f"{LOADED}16", "92 steps instead of 84"),
    ],
    ids=["fails before a further step", "begins anew", "an early checkpoint", "too many steps"],
)
def test_a_resume_that_does_not_is_a_failure(
    script: ModuleType, after: list[dict[str, Any]], log: str, said: str
) -> None:
    with pytest.raises(SystemExit, match=said):
        play(script, [*BEFORE, *after], log)
