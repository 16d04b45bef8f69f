"""Foreign text on a terminal and in messages: seen, short, and without any effect."""

from __future__ import annotations

import ast
import io
import json
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.cli.output import print_json, print_lines
from backend.errors import LONGEST, DatasetError, WinnowError
from backend.foreign_text import QUOTED, brief, one_line, quoted, shortened, visible
from backend.terminal import safe_streams

# Every character, half surrogate pairs too, and often those that act.
ANY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x00\x07\x1b\x7f\x9b\r\n\t\u202e\u2066\u061c\u200b\u200c\u200d\u2028\u3164"),
        st.characters(categories=["Cs", "Cf", "Cc", "Zl", "Zp"]),
    )
)
DIRECTIONS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def acts(character: str) -> bool:
    kind = unicodedata.category(character)
    return character not in "\n\t" and (kind in ("Cc", "Cs", "Zl", "Zp") or character in DIRECTIONS)


@settings(max_examples=40, deadline=None)
@given(ANY)
def test_no_character_acts_and_a_text_that_is_visible_stays_as_it_is(text: str) -> None:
    shown = visible(text)
    assert not any(map(acts, shown))
    assert visible(shown) == shown
    assert shown.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "text", ["a red 図 　全角", "می‌خواهم", "क्‍ष", "👩‍💻 ❤️‍🔥", "ក​ខ", "naïve Ελλάδα 中文", "a\tb\nc", "10 000 €"]
)
def test_what_scripts_and_emoji_are_written_with_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "pay\u200bpal",
        "pay\u200dpal",
        "\u200cpaypal",
        "pay\ufeffpal",
        "pay\u00adpal",
        "pay\u3164pal",
        "pay\u2060pal",
        "x\U000e0041",
        "۱\u200c\u200cx",
    ],
)
def test_what_is_drawn_as_nothing_cannot_hide_in_a_name(text: str) -> None:
    assert "\\" in visible(text)


def test_escapes_say_which_character_it_was() -> None:
    assert visible("\x1b]0;t\x07\x9b\u202e\ud800\r") == r"\x1b]0;t\x07\x9b\u202e\ud800\r"


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        ANY | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(ANY, inner), max_leaves=8
    )
)
def test_json_is_ascii_and_parses_back_to_the_same_value(value: object) -> None:
    stream = io.StringIO()
    before, sys.stdout = sys.stdout, stream
    try:
        with safe_streams():
            print_lines([{"value": value}])
            print_json(value)
    finally:
        sys.stdout = before
    line, _, document = stream.getvalue().partition("\n")
    assert line.isprintable()
    assert line.isascii()
    assert document.isascii()
    assert "\x7f" not in document
    assert json.loads(line) == {"value": value}
    assert json.loads(document) == value


def test_what_libraries_and_tracebacks_write_does_not_act_either(capsys: pytest.CaptureFixture[str]) -> None:
    with safe_streams():
        print("\x1b[31mred\u202e")
        print("\x1b]0;t\x07", file=sys.stderr)
        assert not sys.stdout.isatty()
    out, err = capsys.readouterr()
    assert out == "\\x1b[31mred\\u202e\n"
    assert err == "\\x1b]0;t\\x07\n"


@settings(max_examples=40, deadline=None)
@given(ANY, ANY)
def test_a_message_is_one_bounded_line_whatever_it_quotes(message: str, hint: str) -> None:
    error = WinnowError(message * 50, hint=hint * 50)
    for text in (error.message, error.hint or "", str(error)):
        assert len(text) <= LONGEST
        assert not any(map(acts, text))
        assert "\n" not in text
        assert "\t" not in text


def test_the_words_before_and_behind_a_long_quotation_stay() -> None:
    error = DatasetError(f"{'x' * 10_000}.json: invalid JSON")
    assert error.message.startswith("xxx")
    assert error.message.endswith(".json: invalid JSON")
    assert "…" in error.message


@settings(max_examples=40, deadline=None)
@given(st.one_of(ANY, st.lists(ANY), st.integers(), st.floats()))
def test_a_quotation_has_at_most_two_hundred_characters(value: object) -> None:
    long = value * 300 if isinstance(value, str | list) else value
    for text in (quoted(long), brief(long)):
        assert len(text) <= QUOTED + 2
        assert not any(map(acts, text))
        assert "\n" not in text


def test_quotations_tell_texts_from_other_values() -> None:
    assert quoted("a") == "'a'"
    assert quoted(3) == "3"
    assert quoted("a\nb") == r"'a\nb'"
    assert brief("a\n  b") == "a b"


def test_a_text_is_shortened_in_its_middle() -> None:
    assert shortened("0123456789", 10) == "0123456789"
    assert shortened("0123456789ab", 10) == "012345…9ab"
    assert one_line("a  b\r\n\tc\u2028d", 20) == "a  b c d"


def test_no_error_quotes_a_value_without_a_bound() -> None:
    wrong = []
    for file in (Path(__file__).parents[2] / "backend").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name.endswith(("Error", "Problem", "NotFound", "Forbidden", "Unavailable")):
                wrong += [
                    f"{file.name}:{part.lineno}"
                    for part in ast.walk(call)
                    if isinstance(part, ast.FormattedValue) and part.conversion == ord("r")
                ]
    assert wrong == []
