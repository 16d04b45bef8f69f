"""Hints: every reference has words at both edges, and no other module speaks for one of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
import typer

import backend
import dashboard
from backend.cli.hints import COMMANDS, flag, in_command, message_of
from backend.cli.main import app
from backend.errors import UsageError
from backend.hints import Action, Do, Field, Hint, from_text, to_text
from dashboard.hints import LABELS, PLACES, marked, plain
from dashboard.runs.options import ALL as RUN_FIELDS
from dashboard.training.options import ALL as TRAINING_FIELDS

BACKEND = Path(backend.__file__).parent
PAGES = Path(dashboard.__file__).parent
HINT = Hint("lower {fps} or try {bf16:no}, then {RESUME_TRAINING}", on=3)
NO_PAGE = {"holdout", "judge", "made_elsewhere", "output_path", "policy", "preset", "serve", "train"}
"""Options that only commands have, and those of which a page offers buttons."""

OF_OTHER_PROGRAMS = {
    "training/programs.py": "command lines of LLaMA-Factory and ms-swift",
    "loop/serving.py": "an example of a server's command line",
}


def test_each_edge_words_a_hint_for_its_reader() -> None:
    assert in_command(HINT) == "lower --fps or try --bf16 no, then `winnow train resume 3`"
    assert plain(HINT) == "lower fps or try bf16 = no, then “Resume” on training 3"
    assert marked(HINT) == "lower *fps* or try *bf16* = no, then [“Resume” on training 3](training?training=3)"
    assert str(HINT) == "lower fps or try bf16 no, then “resume training 3”"


def test_a_plain_text_is_the_same_everywhere() -> None:
    assert [word("free some space") for word in (in_command, plain, marked)] == ["free some space"] * 3
    assert [word(None) for word in (in_command, plain, marked)] == [""] * 3


def test_what_a_hint_quotes_is_never_taken_for_a_reference_or_for_markdown() -> None:
    hint = Hint("see {where}", where="{fps} *x* {RESUME_RUN}")
    assert in_command(hint) == plain(hint) == "see {fps} *x* {RESUME_RUN}"
    assert marked(hint) == r"see \{fps\} \*x\* \{RESUME\_RUN\}"
    assert in_command(Hint("{folder}", folder=Field("data_root", "/a b\x1b[2J"))) == r"--data-root '/a b\x1b[2J'"
    assert len(in_command(Hint("{x}", x="y" * 10_000))) == 600


def test_options_of_an_action_and_those_that_are_switched_off() -> None:
    resume = Do(Action.RESUME_LOOP, 4, (Field("balance", False),))
    assert in_command(Hint("{resume}", resume=resume)) == "`winnow loop resume 4 --no-balance`"
    assert plain(Hint("{resume}", resume=resume)) == "“resume loop 4” on the command line"


def test_an_error_names_the_option_that_it_is_about() -> None:
    error = UsageError("there is no GPU 7", about=Field("device", "cuda:7"))
    assert message_of(error) == "--device cuda:7: there is no GPU 7"
    assert str(error) == "device cuda:7: there is no GPU 7"


@pytest.mark.parametrize(
    "hint", [None, "free some space", HINT, Hint("{then}", then=Do(Action.RESUME_LOOP, 4, (Field("balance", False),)))]
)
def test_a_stored_hint_comes_back(hint: Hint | str | None) -> None:
    assert from_text(to_text(hint)) == hint


def test_a_text_quoted_in_a_hint_can_be_stored_whatever_it_holds() -> None:
    hint = Hint("see {path}", path="/a\0\ud800{}")
    stored = to_text(hint)
    assert stored is not None and stored.isascii() and "\0" not in stored
    assert from_text(stored) == hint


@pytest.mark.parametrize(
    "text",
    [
        "lower --fps, then `winnow train resume 3`",
        '{"hint": "no parts"',
        '{"hint": [{"do": "AN_ACTION_OF_LATER"}]}',
        '{"hint": [3]}',
        '{"hint": null}',
        "",
    ],
)
def test_a_stored_hint_of_another_winnow_is_shown_as_it_is(text: str) -> None:
    assert from_text(text) == text


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(BACKEND.rglob("*.py")):
        yield path.relative_to(BACKEND).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def named() -> tuple[set[str], set[str]]:
    """The options and the actions that hints of the backend name."""
    options: set[str] = set()
    actions: set[str] = set()
    for _, tree in trees():
        for call in (one for one in ast.walk(tree) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)):
            first = call.args[0] if call.args else None
            if call.func.id == "Field" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                options.add(first.value)
            elif call.func.id == "Hint":
                assert isinstance(first, ast.Constant), "a template is written out: what it quotes is no part of it"
                given = {keyword.arg for keyword in call.keywords}
                names = {name for _, name, _, _ in Formatter().parse(first.value) if name and name not in given}
                actions |= {name for name in names if name.isupper()}
                options |= {name for name in names if not name.isupper()}
    return options, actions


def flags_of(command: object) -> set[str]:
    """Every option of a command and of those below it."""
    found = {word for one in command.params for word in (*one.opts, *one.secondary_opts)}  # type: ignore[attr-defined]
    below = getattr(command, "commands", {}).values()
    return found.union(*map(flags_of, below))


COMMAND = typer.main.get_command(app)


def test_every_option_of_a_hint_is_one_of_a_command() -> None:
    options, _ = named()
    assert len(options) > 30
    assert {flag(Field(name)) for name in options} <= flags_of(COMMAND)


def test_every_option_of_a_hint_is_a_field_or_known_to_be_none() -> None:
    options, _ = named()
    fields = LABELS.keys() | RUN_FIELDS.keys() | TRAINING_FIELDS.keys()
    assert options - fields == NO_PAGE


def test_labels_are_those_of_the_forms() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in PAGES.rglob("*.py") if path.name != "hints.py")
    assert [label for label in LABELS.values() if f'"{label}"' not in source] == []
    quoted = {word for place in PLACES.values() for word in re.findall("“(.+?)”", place.words)}
    source += "".join(path.read_text(encoding="utf-8") for path in (PAGES.parent / "pages").glob("*.py"))
    assert [word for word in quoted if f'"{word}"' not in source] == []


def test_every_action_is_a_command_and_is_used() -> None:
    _, actions = named()
    source = "".join(path.read_text(encoding="utf-8") for path in BACKEND.rglob("*.py") if path.parent.name != "cli")
    assert {one for one in Action if one.name not in actions and f"Action.{one.name}" not in source} == set()
    for action in Action:
        at = COMMAND
        *words, last = COMMANDS[action].split()
        for word in [*words, last]:
            if word.startswith("--"):
                assert word == "--help" or word in flags_of(at), action
            else:
                at = at.commands[word]  # type: ignore[attr-defined]


def test_only_what_no_page_offers_is_left_to_the_command_line() -> None:
    assert {one.name for one in Action if one not in PLACES} == {
        "BUILD_JUDGE",
        "CANCEL_LOOP",
        "CONVERT",
        "LIST_LOOPS",
        "RESUME_LOOP",
        "SHOW_LOOP",
        "START_LOOP",
    }


def test_no_module_but_the_command_line_words_a_command_or_an_option() -> None:
    own = flags_of(COMMAND) | {"--workspace"}
    found = []
    for name, tree in trees():
        if name.startswith("cli/") or name in OF_OTHER_PROGRAMS:
            continue
        documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in documented:
                continue
            # An option alone is an argument of a process.
            words = [] if node.value in own else re.findall(r"(?<![\w-])--[a-z][\w-]*", node.value)
            if re.search(r"(?<![\w-])winnow [a-z]", node.value) or own & set(words):
                found.append(f"{name}:{node.lineno}: {node.value}")
    assert found == []
