"""The scripted engine: replays texts from a file, with a latency of one's choosing.

It is for tests and benchmarks of everything around an engine. The file is JSON lines, one answer
a line: ``{"text": "…", "finish_reason": "stop"}``, where the reason may be left out. Request ``i``
is given line ``i % n``, so that the same requests always get the same answers, whatever the order
in which they finish.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from backend.domain.json_text import load_json
from backend.engines.base import Completion, EngineKind, EngineOptions, Outcome, Request
from backend.engines.streaming import AsyncEngine
from backend.errors import EngineError, UsageError
from backend.foreign_text import brief
from backend.hints import Hint

_HINT = 'one JSON object a line: {"text": "…", "finish_reason": "stop"}'


@dataclass(frozen=True, slots=True)
class ScriptedAnswer:
    """One line of the file."""

    text: str
    finish_reason: str


def read_script(path: Path) -> list[ScriptedAnswer]:
    """Every answer of a scripted file.

    Raises:
        EngineError: The file cannot be read, a line is no such object, or there is none.
    """
    try:
        with path.open(encoding="utf-8") as file:
            answers = [_answer(path, number, line) for number, line in enumerate(file, 1) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"{path}: cannot be read ({brief(error)})", hint=_HINT) from error
    if not answers:
        raise EngineError(f"{path}: holds no answers", hint=_HINT)
    return answers


def _answer(path: Path, number: int, line: str) -> ScriptedAnswer:
    try:
        value = load_json(line)
    except ValueError as error:
        raise EngineError(f"{path}:{number}: invalid JSON", hint=_HINT) from error
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise EngineError(f"{path}:{number}: no text", hint=_HINT)
    return ScriptedAnswer(text, str(value.get("finish_reason") or "stop"))


class ScriptedEngine(AsyncEngine):
    """Gives back the file's texts after ``scripted_latency`` seconds each."""

    def __init__(self, options: EngineOptions) -> None:
        if options.scripted_file is None:
            raise UsageError("the scripted engine needs a file", hint="set scripted_file")
        self._answers = read_script(Path(options.scripted_file))
        super().__init__(options)

    async def answer(self, request: Request) -> Outcome:
        request.let_go()
        if self.options.scripted_latency:
            await asyncio.sleep(self.options.scripted_latency)
        answer = self._answers[request.id % len(self._answers)]
        return Completion(
            id=request.id,
            text=answer.text,
            finish_reason=answer.finish_reason,
            completion_tokens=len(answer.text.split()),
        )


_FILE_HINT = Hint("name it with {scripted_file}")


def _check(options: EngineOptions) -> None:
    if not options.scripted_file:
        raise UsageError("engine scripted needs a file of texts", hint=_FILE_HINT)
    if not Path(options.scripted_file).is_file():
        raise EngineError(f"{options.scripted_file}: no such file", hint=_FILE_HINT)


SCRIPTED = EngineKind(
    name="scripted",
    label="replay",
    purpose="replays texts from a file",
    load=lambda _model, options: ScriptedEngine(options),
    check=_check,
    replays=True,
)
