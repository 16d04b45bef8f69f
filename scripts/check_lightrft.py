"""Checks training by LightRFT on a machine with a GPU, in one command.

    LIGHTRFT_HOME=… WINNOW_LIGHTRFT_PYTHON=… \
        python scripts/check_lightrft.py [--model FOLDER] [--gpus N]

Makes a small workspace of image and video pairs, freezes what the scripted judge answered right, trains
two epochs on both kinds by LightRFT through ``winnow train`` and lets the finished judge answer; the same
with adapters. Then trains again with held-out pairs, stops that in its second epoch, resumes it, and
follows it to its last step, which has to be the one that was announced. Prints a line for each, and ends
with 1 when one of them failed. The demo judge is trained unless a model is named; what its weights become
is of no use.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EPOCHS = 12
"""Of the training that is stopped: enough to be stopped after the first and before the last."""

ROWS_PER_GPU = 2
"""Of one step."""

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def winnow(workspace: Path, *words: object) -> str:
    """Run the command; its output."""
    done = subprocess.run(
        [sys.executable, "-m", "backend.cli", "--workspace", str(workspace), *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"FAIL winnow {' '.join(map(str, words))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def start(out: Path, model: Path, arguments: argparse.Namespace) -> list[object]:
    """The words that start the training."""
    return [
        "train",
        "start",
        "--set",
        "mixed",
        "--trainer",
        "lightrft",
        "--model",
        model,
        "--output-dir",
        out,
        "--gpus-per-node",
        arguments.gpus,
        "--zero-stage",
        arguments.zero_stage,
        "--train-batch-size",
        ROWS_PER_GPU * arguments.gpus,
        "--max-epochs",
        2,
        "--save-steps",
        2,
        "--prompt-max-len",
        4096,
        *([] if arguments.flash_attn else ["--no-flash-attn"]),
    ]


def build(workspace: Path, gpus: int) -> None:
    """A set ``mixed`` of images and videos: 18 rows for each GPU, which make nine steps an epoch."""
    from tests.workspaces import build_workspace

    build_workspace(workspace, images=24 * gpus, videos=6 * gpus).close()
    winnow(workspace, "set", "create", "mixed", "--run", 1, "--run", 3)


def check(workspace: Path, arguments: argparse.Namespace) -> None:
    """Everything, in order."""
    from backend.demo.judge import shipped_judge

    model, out = arguments.model or shipped_judge(), workspace / "training"
    build(workspace, arguments.gpus)
    words = start(out, model, arguments)
    print(winnow(workspace, *words, "--dry-run"))
    print("ok   preflight")
    winnow(workspace, *words, "--wait")
    done = shown(workspace, 1)
    losses = [metric["loss"] for metric in done["metrics"] if metric["loss"] is not None]
    print(f"ok   trained on images and videos: {len(losses)} steps, loss {losses[0]} to {losses[-1]}")
    check_steps(done)
    if not any(point["final"] and point["judge"] for point in done["checkpoints"]):
        raise SystemExit("FAIL no finished judge")
    winnow(workspace, "train", "evaluate", 1, "--dataset", "pictures", "--limit", 4, "--wait")
    print("ok   the finished judge is loaded and answers")
    lora = [workspace / "adapters" if word == out else word for word in words]
    winnow(workspace, *lora, "--max-epochs", 1, "--lora-rank", 4, "--wait")
    winnow(workspace, "train", "evaluate", 2, "--dataset", "pictures", "--limit", 4, "--wait")
    print("ok   trained adapters are merged into a judge that is loaded and answers")
    again = [workspace / "again" if word == out else word for word in words]
    winnow(workspace, *again, "--max-epochs", EPOCHS, "--validation", 0.2)
    check_resume(workspace, 3)


def check_resume(workspace: Path, training: int) -> None:
    """Stop a training after its first epoch; it has to go on from there, to the end."""
    wait(workspace, training, lambda now: saved_of(now) > epoch_of(now))
    winnow(workspace, "train", "stop", training)
    stopped = shown(workspace, training)
    print(f"ok   stopped at step {step_of(stopped)}; nothing of it is left")
    winnow(workspace, "train", "resume", training)
    wait(workspace, training, lambda now: step_of(now) > step_of(stopped))
    loaded = re.findall(r"Loaded the checkpoint.*consumed_samples: (\d+)", winnow(workspace, "train", "log", training))
    first = int(loaded[-1]) // int(stopped["spec"]["train_batch_size"]) if loaded else 0
    if first <= epoch_of(stopped):
        raise SystemExit(f"FAIL it went on from step {first} instead of its newest checkpoint")
    print(f"ok   resumed from step {first} and went on beyond step {step_of(stopped)}")
    wait(workspace, training, lambda now: now["status"] == "finished")
    check_steps(shown(workspace, training))
    print("ok   ended with the step that was announced")


def check_steps(now: dict[str, Any]) -> None:
    """Whether a training that ended had the steps it said it would have."""
    if step_of(now) != now["progress"]["steps"]:
        raise SystemExit(f"FAIL {step_of(now)} steps instead of {now['progress']['steps']}")


def shown(workspace: Path, training: int) -> dict[str, Any]:
    """What ``winnow train show`` says."""
    said: dict[str, Any] = json.loads(winnow(workspace, "train", "show", training, "--json"))
    return said


def step_of(now: dict[str, Any]) -> int:
    """The step that a training is at."""
    return int(now["progress"].get("step", 0))


def saved_of(now: dict[str, Any]) -> int:
    """The step of the newest checkpoint to resume from; 0 for none."""
    return max((point["step"] for point in now["checkpoints"] if not point["final"]), default=0)


def epoch_of(now: dict[str, Any]) -> int:
    """Steps of one epoch."""
    return int(now["progress"].get("steps", 0)) // int(now["spec"]["max_epochs"])


def wait(workspace: Path, training: int, until: Callable[[dict[str, Any]], bool]) -> None:
    """Wait for something; to end before, well or not, is a failure."""
    deadline = time.monotonic() + 1800
    while time.monotonic() < deadline:
        now = shown(workspace, training)
        if until(now):
            return
        if now["status"] in ("failed", "interrupted", "finished", "cancelled"):
            raise SystemExit(f"FAIL training {training} {now['status']}: {now['error']}")
        time.sleep(1)
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
