from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine_requests import request

from backend.engines.base import Completion, EngineOptions
from backend.engines.scripted import ScriptedEngine
from backend.errors import EngineError, UsageError


def script(path: Path, *lines: object) -> str:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return str(path)


def test_a_request_gets_the_line_of_its_number_modulo_the_lines(tmp_path: Path) -> None:
    file = script(tmp_path / "s.jsonl", {"text": "a"}, {"text": "ü\nb", "finish_reason": "length"}, {"text": ""})
    engine = ScriptedEngine(EngineOptions(batch_size=4, scripted_file=file, scripted_latency=0.001))
    answers = {}
    for outcome in engine.generate(request(number) for number in range(7)):
        assert isinstance(outcome, Completion)
        answers[outcome.id] = (outcome.text, outcome.finish_reason)
    engine.close()
    lines = [("a", "stop"), ("ü\nb", "length"), ("", "stop")]
    assert answers == {number: lines[number % 3] for number in range(7)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no answers"),
        ('{"text": "a"}\n{"text": \n', ":2: invalid JSON"),
        ('{"text": "a"}\n\n{"answer": "a"}\n', ":3: no text"),
        ("[1]\n", ":1: no text"),
    ],
)
def test_a_file_that_is_no_script_is_an_engine_error(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "s.jsonl").write_text(content)
    with pytest.raises(EngineError, match=message) as caught:
        ScriptedEngine(EngineOptions(scripted_file=str(tmp_path / "s.jsonl")))
    assert caught.value.hint


def test_a_missing_script_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        ScriptedEngine(EngineOptions(scripted_file=str(tmp_path / "none.jsonl")))
    with pytest.raises(UsageError, match="needs a file"):
        ScriptedEngine(EngineOptions())
