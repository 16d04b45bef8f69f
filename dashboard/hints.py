"""Hints and the options that an error is about, as a page says them: fields by their label, and links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from backend.errors import WinnowError
from backend.hints import Action, Do, Field, Hint, Part
from dashboard.text import md

LABELS: Mapping[str, str] = {
    "allow_links_to": "Allow links to",
    "balance": "Balance by position",
    "command": "Command",
    "data_root": "Data root",
    "dataset": "Dataset",
    "engine": "Engine",
    "model": "Model",
    "name": "Name",
    "order": "Shown order",
    "output_dir": "Output folder",
    "set": "Sets",
    "trainer": "Trainer",
}
"""Fields with a label of their own; all others show the name of their option."""


class _Place(NamedTuple):
    """Where a page does something: in words, with ``on`` behind them, and the page's address."""

    words: str
    on: str = ""
    page: str = ""
    query: str = ""


PLACES: Mapping[Action, _Place] = {
    Action.ADD_DATASET: _Place("“Add dataset”", page="datasets"),
    Action.LIST_RUNS: _Place("the list of runs", page="runs"),
    Action.SHOW_RUN: _Place("run", " {}", "runs", "run={}"),
    Action.RUN_LOG: _Place("the log", " of run {}", "runs", "run={}&tab=log"),
    Action.RESUME_RUN: _Place("“Resume”", " on run {}", "runs", "run={}"),
    Action.CANCEL_RUN: _Place("“Cancel”", " on run {}", "runs", "run={}"),
    Action.FILTER_RUN: _Place("the tab “policy”", " of run {}", "runs", "run={}&tab=policy"),
    Action.REPARSE_RUN: _Place("the tab “policy”", " of run {}", "runs", "run={}&tab=policy"),
    Action.LIST_PREDICTIONS: _Place("Browse", " with run {}", "browse", "run={}"),
    Action.LIST_RULINGS: _Place("Browse", " with run {}", "browse", "run={}"),
    Action.LIST_SETS: _Place("the list of sets", page="curate"),
    Action.BALANCE_SET: _Place("“Balance by position” on Curate", page="curate"),
    Action.EXPORT_SET: _Place("“Export” on Curate", page="curate"),
    Action.LIST_TRAININGS: _Place("the list of trainings", page="training"),
    Action.START_TRAINING: _Place("“New training”", page="training", query="new=1"),
    Action.TRAINING_OPTIONS: _Place("“New training”", page="training", query="new=1"),
    Action.SHOW_TRAINING: _Place("training", " {}", "training", "training={}"),
    Action.TRAINING_LOG: _Place("the log", " of training {}", "training", "training={}&tab=log"),
    Action.RESUME_TRAINING: _Place("“Resume”", " on training {}", "training", "training={}"),
    Action.STOP_TRAINING: _Place("“Stop”", " on training {}", "training", "training={}"),
    Action.EVALUATE_TRAINING: _Place("“Evaluate”", " on training {}", "training", "training={}&tab=checkpoints"),
}
"""What pages offer. Everything else is done on the command line."""


def plain(hint: Hint | str | None) -> str:
    """A hint as a text; empty where there is none."""
    return "".join(map(_words, hint.parts)) if isinstance(hint, Hint) else hint or ""


def marked(hint: Hint | str | None) -> str:
    """A hint as markdown, with links to what it names."""
    return "".join(map(_marked, hint.parts)) if isinstance(hint, Hint) else md(hint or "")


def message_of(error: WinnowError) -> str:
    """What is wrong, with the field that it is about."""
    return error.message if error.about is None else f"{_words(error.about)}: {error.problem}"


def _words(part: Part) -> str:
    if isinstance(part, Field):
        label = LABELS.get(part.name, part.name)
        return label if part.value is None else f"{label} = {part.value}"
    if isinstance(part, Do):
        place = PLACES.get(part.action)
        if place is None:
            return f"{part} on the command line"
        return place.words + ("" if part.on is None else place.on.format(part.on))
    return part


def _marked(part: Part) -> str:
    if isinstance(part, Field):
        value = "" if part.value is None else f" = {md(part.value)}"
        return f"*{md(LABELS.get(part.name, part.name))}*{value}"
    words = md(_words(part))
    if isinstance(part, Do) and (place := PLACES.get(part.action)) and (part.on is not None or not place.on):
        query = place.query.format(part.on)
        return f"[{words}]({place.page}{'?' if query else ''}{query})"
    if isinstance(part, str):
        # What is escaped has lost the blanks around it.
        if not words:
            return part
        return f"{part[: len(part) - len(part.lstrip())]}{words}{part[len(part.rstrip()) :]}"
    return words
