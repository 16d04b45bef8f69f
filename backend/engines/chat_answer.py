"""Reading what a server sent as a chat completion. Nothing in it is trusted to have its type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from backend.domain.foreign import quoted
from backend.engines.base import Completion, Failure, Outcome

_MOST_TOKENS = 2**31 - 1
"""More than any judge writes, and what every store's integers hold."""


class _Malformed(Exception):
    """Says which part is not what the protocol has there."""


def completion(identity: int, body: bytes, *, key: str | None = None) -> Outcome:
    """What a server's answer says; a :class:`Failure` when it is not a chat completion.

    Args:
        key: Is left out of the failure, should the server repeat it.
    """
    try:
        return _completion(identity, _parsed(body, key))
    except _Malformed as error:
        return Failure(id=identity, error=f"not a chat completion: {error}")


def error_words(body: bytes, otherwise: str, *, key: str | None = None) -> str:
    """What an error's body says, or its beginning where it is no JSON; one short line.

    Args:
        otherwise: Where it says nothing.
        key: Is left out, should the server repeat it.
    """
    try:
        value = _parsed(body)
    except _Malformed:
        return quoted(body.decode("utf-8", "replace"), without=key) or otherwise
    error = value.get("error", value) if isinstance(value, dict) else value
    text = error.get("message") if isinstance(error, dict) else error
    return quoted(text or "", without=key) or otherwise


def model_names(body: bytes) -> list[str]:
    """Names in a list of models; none where it is no such list."""
    try:
        value = _parsed(body)
    except _Malformed:
        return []
    models = value.get("data") if isinstance(value, dict) else None
    if not isinstance(models, list):
        return []
    names = [model.get("id") for model in models if isinstance(model, dict)]
    return [name for name in names if isinstance(name, str)]


def _parsed(body: bytes, key: str | None = None) -> Any:
    try:
        return json.loads(body, parse_constant=_no_number)
    # Deeper than the interpreter goes; an integer of more digits than it converts is a ValueError.
    except RecursionError:
        raise _Malformed("its JSON is nested too deeply") from None
    except ValueError:
        start = quoted(body[:400].decode("utf-8", "replace"), without=key)[:80]
        raise _Malformed(f"it is no JSON ({start or 'empty'})") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _completion(identity: int, body: Any) -> Completion:
    choices = _of(body, "answer", dict).get("choices")
    if not isinstance(choices, list) or not choices:
        raise _Malformed(f"choices is {_what(choices)}")
    choice = _of(choices[0], "choices[0]", dict)
    message = _of(choice.get("message"), "message", dict)
    text = _text(message, "content")
    # Servers with a reasoning parser take <think>…</think> out of the text.
    reasoning = _text(message, "reasoning") or _text(message, "reasoning_content")
    if reasoning:
        text = f"<think>\n{reasoning.strip()}\n</think>\n{text.lstrip()}"
    usage = body.get("usage")
    usage = {} if usage is None else _of(usage, "usage", dict)
    return Completion(
        id=identity,
        text=text,
        finish_reason=None
        if choice.get("finish_reason") is None
        else _of(choice["finish_reason"], "finish_reason", str),
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
    )


def _text(message: Mapping[str, Any], name: str) -> str:
    """A string, or the text of a list of content parts; empty for null."""
    value = message.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        raise _Malformed(f"{name} is {_what(value)}")
    texts = []
    for part in value:
        part = _of(part, f"a part of {name}", dict)
        if part.get("type") != "text":
            raise _Malformed(f"a part of {name} is of type {quoted(part.get('type'))[:40]}")
        texts.append(_of(part.get("text"), f"a part of {name}", str))
    return "".join(texts)


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    if value is None:
        return None
    # JSON does not tell 7 from 7.0; true is no number.
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not 0 <= value <= _MOST_TOKENS:
        raise _Malformed(f"{name} is {quoted(value)[:40]}")
    return int(value)


def _of(value: Any, name: str, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise _Malformed(f"{name} is {_what(value)}")
    return value


def _what(value: object) -> str:
    """A value's type, as JSON calls it."""
    if value is None:
        return "missing"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return "a boolean"
    names = {dict: "an object", str: "a string", int: "a number", float: "a number"}
    return names.get(type(value), "invalid")
