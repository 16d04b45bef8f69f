"""``--task-instruction``: a text or a file, and never a mistake that passes for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.cli.declared import checked
from backend.cli.engine_options import read_instruction
from backend.cli.hints import message_of
from backend.engines.base import EngineOptions
from backend.errors import NotFound, UsageError


def test_a_text_and_a_file_of_it_are_the_same_instruction(tmp_path: Path) -> None:
    text = "Judge {prompt} by {this}, first/second."
    file = tmp_path / "instruction"
    file.write_text(text)
    assert read_instruction(None) is None
    assert read_instruction(text) == read_instruction(str(file)) == text


@pytest.mark.parametrize(
    "text",
    ["{prompt}", "Caption: {prompt}\nJudge.txt", "and/or:{prompt}", "x" * 999 + " {prompt}", "y" * 300 + "/{prompt}"],
)
def test_what_only_resembles_a_path_is_an_instruction(text: str) -> None:
    assert read_instruction(text) == text


@pytest.mark.parametrize("given", ["nosuch.txt", "my judge.md", "a.jinja", "prompts/t2i", "./x", "/a/{prompt}.txt"])
def test_a_mistyped_file_name_is_not_taken_for_the_instruction(given: str) -> None:
    with pytest.raises(NotFound, match="no such file") as caught:
        read_instruction(given)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["Judge.", "", "Your task instruction here", "{Prompt} {caption}"])
def test_an_instruction_without_the_captions_place_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"\{prompt\}") as caught:
        read_instruction(text)
    assert caught.value.hint
    (tmp_path / "f.txt").write_text(text)
    with pytest.raises(UsageError, match=r"\{prompt\}"):
        read_instruction(str(tmp_path / "f.txt"))


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_frames_a_second_that_cannot_be_are_wrong_usage(fps: float) -> None:
    with pytest.raises(UsageError) as caught:
        checked(EngineOptions, {"video_fps": fps})
    assert message_of(caught.value).startswith("--video-fps: ")
