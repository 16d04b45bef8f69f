"""Checks training by LightRFT on a machine with a GPU, in one command.

    LIGHTRFT_HOME=… WINNOW_LIGHTRFT_PYTHON=… \
        python scripts/check_lightrft.py [--model FOLDER] [--gpus N]

Makes a small workspace of image and video pairs, freezes what the scripted judge answered right, trains
a few steps on both kinds by LightRFT through ``winnow train``, stops it, resumes it, and lets
the finished judge answer. Prints a line for each, and ends with 1 when one of them failed. The demo judge is
trained unless a model is named; what its weights become is of no use.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def winnow(workspace: Path, *words: object) -> str:
    """Run the command; its output."""
    done = subprocess.run(
        [sys.executable, "-m", "backend.cli", "--workspace", str(workspace), *map(str, words)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"FAIL winnow {' '.join(map(str, words))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def start(out: Path, model: Path, arguments: argparse.Namespace) -> list[object]:
    """The words that start the training."""
    return [
        "train", "start", "--set", "mixed", "--trainer", "lightrft", "--model", model,
        "--output-dir", out, "--gpus-per-node", arguments.gpus, "--zero-stage", arguments.zero_stage,
        "--train-batch-size", 2 * arguments.gpus, "--max-epochs", 2, "--save-steps", 2,
        "--prompt-max-len", 4096, *([] if arguments.flash_attn else ["--no-flash-attn"]),
    ]  # fmt: skip


def check(workspace: Path, arguments: argparse.Namespace) -> None:
    """Everything, in order."""
    from backend.demo.judge import shipped_judge
    from tests.workspaces import build_workspace

    model, out = arguments.model or shipped_judge(), workspace / "training"
    build_workspace(workspace, images=12, videos=6).close()
    winnow(workspace, "set", "create", "mixed", "--run", 1, "--run", 3)
    words = start(out, model, arguments)
    print(winnow(workspace, *words, "--dry-run"))
    print("ok   preflight")
    winnow(workspace, *words, "--wait")
    shown: dict[str, Any] = json.loads(winnow(workspace, "train", "show", 1, "--json"))
    losses = [metric["loss"] for metric in shown["metrics"] if metric["loss"] is not None]
    print(
        f"ok   trained on images and videos: {len(losses)} steps, loss {losses[0]} to {losses[-1]}"
    )
    if not any(point["final"] and point["judge"] for point in shown["checkpoints"]):
        raise SystemExit("FAIL no finished judge")
    winnow(workspace, "train", "evaluate", 1, "--dataset", "pictures", "--limit", 4, "--wait")
    print("ok   the finished judge is loaded and answers")
    again = [workspace / "second" if word == out else word for word in words]
    winnow(workspace, *again, "--max-epochs", 50)
    _wait(workspace, 2, lambda shown: shown["progress"].get("step", 0) > 2)
    winnow(workspace, "train", "stop", 2)
    print("ok   stopped; nothing of it is left")
    winnow(workspace, "train", "resume", 2)
    _wait(workspace, 2, lambda _: "Loaded the checkpoint" in winnow(workspace, "train", "log", 2))
    winnow(workspace, "train", "stop", 2)
    print("ok   resumed from its checkpoint")


def _wait(workspace: Path, training: int, until: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + 1800
    while time.monotonic() < deadline:
        shown = json.loads(winnow(workspace, "train", "show", training, "--json"))
        if shown["status"] in ("failed", "interrupted", "finished"):
            raise SystemExit(f"FAIL training {training} {shown['status']}: {shown['error']}")
        if until(shown):
            return
        time.sleep(2)
    raise SystemExit(f"FAIL training {training}: half an hour passed in vain")


def main() -> None:
    """Parse and check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a Qwen2-VL or Qwen2.5-VL; default: demo judge")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--zero-stage", type=int, default=3)
    parser.add_argument("--flash-attn", action="store_true")
    arguments = parser.parse_args()
    if not os.environ.get("LIGHTRFT_HOME"):
        raise SystemExit("LIGHTRFT_HOME is not set: clone LightRFT and name the checkout in it")
    with tempfile.TemporaryDirectory(prefix="winnow-lightrft-") as folder:
        check(Path(folder) / "ws", arguments)


if __name__ == "__main__":
    main()
