"""The demo's files, its judge, and the README's commands."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from backend.demo.dataset import demo_pairs, write_demo
from backend.demo.judge import measure_judge, shipped_judge
from backend.demo.judge_model import build_tokenizer, instruction_lines
from backend.domain.pairs import MediaKind
from backend.domain.prompts import default_instruction
from tests.integration.conftest import Winnow

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_demo(tmp_path / name, image_pairs=4, video_pairs=2)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    media = [file for file in files if file.suffix in (".jpg", ".mp4", ".json")]
    assert len(media) == 8 + 4 + 2
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in media)


def test_a_few_recorded_preferences_are_wrong_and_every_better_side_is_known() -> None:
    for kind in MediaKind:
        pairs = demo_pairs(kind, 100, seed=7)
        assert sum(pair.recorded_first != pair.better_first for pair in pairs) == 5
        for pair in pairs:
            better, worse = pair.scenes if pair.better_first else pair.scenes[::-1]
            assert better.defect is None
            assert worse.defect is not None


def test_the_judges_tokenizer_holds_the_lines_of_todays_default_instruction() -> None:
    # The shipped judge was trained on these very lines; a changed wording needs a new judge.
    vocabulary = json.loads((shipped_judge() / "tokenizer.json").read_text())["added_tokens"]
    held = {token["content"] for token in vocabulary}
    assert set(instruction_lines()) <= held
    for kind in MediaKind:
        assert len(build_tokenizer()(default_instruction(kind)).input_ids) < 100


@pytest.mark.judge
def test_the_judge_is_right_on_held_out_pairs_and_at_chance_when_media_are_exchanged() -> None:
    for kind in measure_judge(shipped_judge(), pairs=64):
        assert kind.right >= 42, f"{kind.kind}: {kind.right} of 64"
        assert kind.unreadable <= 2
    for kind in measure_judge(shipped_judge(), pairs=64, media_shift=1):
        # Chance is 32; 46 of 64 is three and a half standard deviations above it.
        assert 18 <= kind.right <= 46, f"{kind.kind}: {kind.right} of 64"


@pytest.mark.judge
def test_the_demo_runs_the_whole_loop_and_the_commands_of_the_readme_work_on_it(
    winnow: Winnow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in the checkout, where the README's reader stands, but without leaving anything there.
    (tmp_path / "backend").symlink_to(ROOT / "backend")
    monkeypatch.chdir(tmp_path)
    out = winnow("demo", "--no-serve").out
    assert "set demo@1" in out
    training = json.loads(next((tmp_path / "ws" / "demo").rglob("rejection_sampling_train_t2i.json")).read_text())
    assert len(training) > 80
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = [line for block in blocks for line in block.strip().splitlines()]
    assert len(commands) >= 10
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "winnow"
        winnow(*words[1:])


def test_every_other_command_in_the_readme_names_options_that_exist(winnow: Winnow) -> None:
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ")
    # A quoted command may go over several lines.
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    commands = [part for part in parts if part.startswith("winnow")]
    assert commands
    for command in commands:
        words = shlex.split(command)[1:]
        group = words[: 2 if words[0] in ("dataset", "run", "convert", "train") else 1]
        help_text = winnow(*group, "--help").out
        for option in (word for word in words if word.startswith("--")):
            assert option in help_text, f"{command}: {option}"
