"""What the backend says for a terminal, as a page says it."""

from __future__ import annotations

import re

from backend.training.spec import LoraSpec, TrainingSpec

_FIELDS = {*TrainingSpec.model_fields, *(f"lora_{name}" for name in LoraSpec.model_fields), "set", "preset"}
_OPTION = re.compile(r"--([a-z][a-z0-9-]*)")
_COMMANDS = (
    (re.compile(r"`winnow train resume(?: \d+)?`"), "Resume"),
    (re.compile(r"`winnow train stop(?: \d+)?`"), "Stop"),
    (re.compile(r"`winnow train log(?: \d+)?`"), "the log, below,"),
    (re.compile(r"`winnow train evaluate(?: \d+)?`"), "Evaluate"),
    (re.compile(r"`winnow train show(?: \d+)?`"), "this page"),
    (re.compile(r"`winnow train list`"), "All trainings"),
    (re.compile(r"`winnow train start`"), "New training"),
    (re.compile(r"`winnow set create --balance`"), "“Balance by position” on Curate"),
)


def on_page(text: str) -> str:
    """A hint with the names of buttons and fields instead of commands and their options."""
    for pattern, word in _COMMANDS:
        text = pattern.sub(word, text)
    return _OPTION.sub(_field, text)


def _field(match: re.Match[str]) -> str:
    name = match[1].replace("-", "_")
    return name if name in _FIELDS else match[0]
