"""What a server sends in the place of an answer is that request's failure, in one short line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.engines.base import Completion, Failure
from backend.engines.chat_answer import completion, error_words, model_names
from tests.raw_server import answer

TEXT = {"content": "fine"}


def usage(**counts: object) -> bytes:
    return answer(TEXT, usage=counts)


WRONG = {
    "empty": b"",
    "html": b"<html><body>Bad gateway</body></html>",
    "cut off": answer(TEXT)[:-9],
    "invalid utf-8": answer(TEXT).replace(b"fine", b"\xff\xfe\x80"),
    "nested deeply": b'{"choices":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "objects nested deeply": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a digit too many": b'{"choices":' + b"9" * 10_000 + b"}",
    "NaN": usage(prompt_tokens=float("nan")),
    "Infinity": usage(completion_tokens=float("inf")),
    "a list": b"[]",
    "a string": b'"choices"',
    "null": b"null",
    "no choices": b"{}",
    "choices an object": b'{"choices": {"0": {}}}',
    "choices empty": b'{"choices": []}',
    "choice null": b'{"choices": [null]}',
    "message a string": b'{"choices": [{"message": "fine"}]}',
    "content a number": answer({"content": 7}),
    "content an object": answer({"content": {"text": "fine"}}),
    "content a boolean": answer({"content": True}),
    "part a string": answer({"content": ["fine"]}),
    "part of another type": answer({"content": [{"type": "image_url", "text": "fine"}]}),
    "part's text a number": answer({"content": [{"type": "text", "text": 7}]}),
    "reasoning a list of numbers": answer({**TEXT, "reasoning": [1]}),
    "reasoning an object": answer({**TEXT, "reasoning_content": {}}),
    "usage a string": answer(TEXT, usage="7"),
    "usage a list": answer(TEXT, usage=[]),
    "tokens a string": usage(prompt_tokens="7"),
    "tokens broken": usage(prompt_tokens=7.5),
    "tokens negative": usage(completion_tokens=-1),
    "tokens huge": usage(completion_tokens=10**30),
    "tokens a boolean": usage(completion_tokens=True),
    "finish_reason an object": answer(TEXT).replace(b'"stop"', b"{}"),
    "finish_reason a number": answer(TEXT).replace(b'"stop"', b"1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_chat_completion_is_one_failure_that_says_so_shortly(name: str) -> None:
    outcome = completion(3, WRONG[name])
    assert isinstance(outcome, Failure) and outcome.id == 3
    assert outcome.error.startswith("not a chat completion: ")
    assert len(outcome.error) <= 230 and outcome.error.isprintable()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(("choices", "message", "content", "type", "text", "usage", "finish_reason")),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_at_all_is_an_outcome(value: object) -> None:
    outcome = completion(0, json.dumps(value).encode())
    assert isinstance(outcome, Completion | Failure)


def test_what_the_protocol_allows_is_read() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    found = completion(0, answer({"content": parts}, usage={"prompt_tokens": 7.0}))
    assert isinstance(found, Completion)
    assert (found.text, found.prompt_tokens, found.completion_tokens) == ("one two", 7, None)
    for silent in ({}, {"content": None}, {"content": []}):
        assert completion(0, answer(silent, usage=None)) == Completion(id=0, text="", finish_reason="stop")


def test_nul_and_half_characters_of_a_judge_arrive_for_the_store_to_replace() -> None:
    found = completion(0, answer({"content": "a\0b\ud800c"}))
    assert isinstance(found, Completion) and found.text == "a\0b\ud800c"


def test_an_errors_words_are_short_and_without_the_key_or_what_moves_a_terminal() -> None:
    words = error_words(
        b'{"error": {"message": "bad key sk-abcdefgh \\u001b[2J\\u202e\\u0000"}}', "x", key="sk-abcdefgh"
    )
    assert words == "bad key *** [2J"
    assert len(error_words(b"x" * 100_000, "reason")) == 200
    assert error_words(b"", "Bad Gateway") == "Bad Gateway"
    assert error_words(b"[" * 100_000, "x").startswith("[[")
    assert error_words(b'{"error": 7}', "x") == "7"


def test_a_list_of_models_of_the_wrong_types_offers_what_can_be_read() -> None:
    assert model_names(b'{"data": [{"id": "a"}, {"id": 7}, 3, {}]}') == ["a"]
    for bad in (b"", b"[" * 100_000, b'{"data": {}}', b"7"):
        assert model_names(bad) == []
