"""LLaMA-Factory and ms-swift by Winnow's own command lines, each in its own interpreter.

What a trainer shows a judge is told by its first loss: on the judge's own greedy texts it is what inference
gives them, as long as the judge sees what it saw then. Both programs also learn the newline that ChatML
writes behind the last token, which this judge never wrote: that one token is reckoned with by name.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from backend.demo.dataset import write_demo
from backend.domain.pairs import MediaKind
from backend.training.command import CommandTrainer
from backend.training.programs import EXAMPLES
from tests.integration.qwen_vocabulary import with_qwens_ids

ROOT = Path(__file__).parent.parent.parent
PYTHONS = {
    "LLaMA-Factory": ("WINNOW_TEST_LLAMAFACTORY_PYTHON", ".venv-llamafactory"),
    "ms-swift": ("WINNOW_TEST_SWIFT_PYTHON", ".venv-swift"),
}
SETS = {"images": ["image"], "videos": ["video"], "mixed": ["image", "video"]}
MAX_PIXELS = 282_240

pytestmark = [pytest.mark.judge, pytest.mark.slow, pytest.mark.timeout(900)]


def python_of(program: str) -> Path:
    variable, folder = PYTHONS[program]
    return Path(os.environ.get(variable) or ROOT / folder / "bin" / "python")


@dataclass(frozen=True)
class Losses:
    """Of a judge on its own texts, a token: at inference, and with the newline behind each text."""

    inference: float
    with_newline: float


@dataclass(frozen=True)
class Judged:
    """A workspace whose sets hold what a judge wrote greedily."""

    workspace: Path

    def winnow(self, *words: object) -> str:
        command = [sys.executable, "-m", "backend.cli", *map(str, words)]
        done = subprocess.run(
            [*command, "--workspace", str(self.workspace)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=800,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}{self.log()}"
        return done.stdout

    def log(self) -> str:
        logs = sorted(self.workspace.glob("logs/training-*.log"), key=lambda path: path.stat().st_mtime)
        return logs[-1].read_text(errors="replace")[-4000:] if logs else ""


@pytest.fixture(scope="module")
def judged(judge_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("trainers")
    files = write_demo(folder / "demo", seed=11, image_pairs=8, video_pairs=6)
    made = Judged(folder / "ws")
    sources = {"image": f"hpdv3:{files.images}", "video": f"rapidata-t2v:{files.videos}"}
    runs = {}
    for kind, source in sources.items():
        made.winnow("dataset", "add", source, "--name", kind)
        run = made.winnow(
            "run",
            "start",
            "--dataset",
            kind,
            "--model",
            judge_folder,
            "--engine",
            "transformers",
            "--max-pixels",
            MAX_PIXELS,
            "--max-new-tokens",
            256,
            "--wait",
            "--json",
        )
        runs[kind] = json.loads(run)["id"]
    for name, kinds in SETS.items():
        made.winnow("set", "create", name, *(word for kind in kinds for word in ("--run", runs[kind])))
    return made


@pytest.fixture(scope="module")
def qwens(judge_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_qwens_ids(judge_folder, tmp_path_factory.mktemp("qwens") / "judge")


def losses(judge: Path, rows_in: Path) -> Losses:
    """What inference gives the rows of a ``lightrft`` export, by the model's own forward."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from backend.engines.models import pixel_factor
    from backend.training.data import Row
    from backend.training.local.collate import Collator
    from backend.training.spec import SetRef, TrainingSpec

    processor = AutoProcessor.from_pretrained(judge)
    model = AutoModelForImageTextToText.from_pretrained(judge, dtype=torch.float32).eval()
    unused = SetRef(id=1, name="s", version=1, content_hash="")
    spec = TrainingSpec(trainer="local", model=str(judge), output_dir="-", sets=(unused,), max_pixels=MAX_PIXELS)
    collator = Collator(processor, spec, pixel_factor(str(judge)))
    (newline,) = processor.tokenizer("\n").input_ids
    cost = newlines = 0.0
    tokens = count = 0
    for file in rows_in.glob("rejection_sampling_train*.json"):
        for value in json.loads(file.read_text()):
            kind = MediaKind.VIDEO if "video_fps" in value else MediaKind.IMAGE
            asked, answer = (turn["value"] for turn in value["conversations"])
            sample = collator.sample(Row(kind, asked, answer, tuple(value["images"])))
            assert sample is not None
            inputs, length = sample
            with torch.no_grad():
                logits = torch.log_softmax(model(**inputs).logits[0, -length - 1 :], dim=-1)
            cost -= logits[:-1].gather(1, inputs["input_ids"][0, -length:, None]).sum().item()
            newlines -= logits[-1, newline].item()
            tokens, count = tokens + length, count + 1
    return Losses(cost / tokens, (cost + newlines) / (tokens + count))


@pytest.mark.parametrize("medium", list(SETS))
@pytest.mark.parametrize("program", list(EXAMPLES))
def test_a_judge_is_shown_in_training_what_it_was_shown_and_can_be_asked_after(
    judged: Judged, judge_folder: Path, qwens: Path, tmp_path: Path, program: str, medium: str
) -> None:
    python = python_of(program)
    if not python.exists():
        pytest.skip(f"{program} is not installed: {python} is not there (make check-trainers)")
    judge = qwens if program == "ms-swift" else judge_folder
    example = EXAMPLES[program]
    name, *arguments = shlex.split(example.template)
    out = tmp_path / "out"
    judged.winnow(
        "train",
        "start",
        "--set",
        medium,
        "--model",
        judge,
        "--output-dir",
        out,
        "--trainer",
        "command",
        "--data-format",
        example.data_format,
        "--device",
        "cpu",
        "--max-pixels",
        MAX_PIXELS,
        "--max-steps",
        2,
        "--train-batch-size",
        32,
        "--micro-train-batch-size",
        32,
        "--save-steps",
        2,
        "--actor-learning-rate",
        1e-6,
        "--command",
        shlex.join([str(python.parent / name), *arguments]),
        "--wait",
    )
    judged.winnow("export", medium, "--format", "lightrft", "--out", tmp_path / "rows")
    expected = losses(judge, tmp_path / "rows")
    first = CommandTrainer().metrics(out)[0]
    assert first.step == 1 and first.loss is not None
    print(
        f"{program}, {medium}: inference {expected.inference:.5f}, with the newline "
        f"{expected.with_newline:.5f}, first loss {first.loss:.5f}"
    )
    assert abs(first.loss - expected.with_newline) <= 0.1 * expected.inference
    checkpoint = CommandTrainer().checkpoints(out)[-1]
    assert checkpoint.judge
    run = json.loads(
        judged.winnow(
            "run",
            "start",
            "--dataset",
            SETS[medium][0],
            "--model",
            checkpoint.path,
            "--engine",
            "transformers",
            "--limit",
            3,
            "--max-new-tokens",
            256,
            "--wait",
            "--json",
        )
    )
    rows = judged.winnow("run", "predictions", run["id"], "--json").splitlines()
    assert run["counts"]["failed"] == 0 and len(rows) == 3
    assert all(json.loads(row)["answer"] in ("first", "second") for row in rows)
