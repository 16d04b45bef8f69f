"""How a model's chat template writes a conversation, read from its files without loading it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json

_CHATML = "<|im_end|>\n<|im_start|>user\n"
_ONE, _OTHER = "winnow-first-turn", "winnow-second-turn"
_LIKE_SPECIAL = r"<\|[^<>|\s]{1,64}\|>"
_TEMPLATES = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")
_OUR_TAGS = frozenset({"<think>", "</think>", "<answer>", "</answer>"})


@dataclass(frozen=True, slots=True)
class ChatForm:
    """What a text must know of the model that will read it.

    Attributes:
        between_users: What stands between the content of two user turns in a row, such as
            ``<|im_end|>\\n<|im_start|>user\\n``; ``None`` where the template is not known.
        special: Finds what the tokenizer reads as one special token: those in the model's files, and
            whatever looks like one (``<|…|>``). Never a judge's own ``<think>`` and ``<answer>``.
    """

    between_users: str | None = None
    special: re.Pattern[str] = re.compile(_LIKE_SPECIAL)

    def spelled(self, texts: Iterable[str]) -> str | None:
        """The first special token that one of the texts spells."""
        found = (self.special.search(text) for text in texts)
        return next((match[0] for match in found if match), None)


def chat_form(model: str) -> ChatForm:
    """The form of a model's folder, or of a hub name whose files are in the local cache.

    A hub name that is not there is told by its family: every Qwen-VL speaks ChatML.
    """
    found = {name: _text(model, name) for name in (*_TEMPLATES, "tokenizer.json")}
    config = _object(found["tokenizer_config.json"])
    template = found["chat_template.jinja"]
    for holder in (_object(found["chat_template.json"]), config):
        template = template or _default(holder.get("chat_template"))
    between = _between_users(template) if template else None
    if not any(found.values()) and "qwen" in model.lower():
        between = _CHATML
    tokens = _special(_object(found["tokenizer.json"]), config)
    special = "|".join((_LIKE_SPECIAL, *map(re.escape, tokens)))
    return ChatForm(between, re.compile(special))


def _between_users(template: str) -> str | None:
    """What a template writes between two turns; ``None`` where it refuses them or cannot be read."""
    # Few commands need it, and all of them import this module.
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _refuse
    turns = [
        {"role": role, "content": [{"type": "text", "text": text}]}
        for role, text in (("system", "winnow-system"), ("user", _ONE), ("user", _OTHER))
    ]
    try:
        text = environment.from_string(template).render(messages=turns, add_generation_prompt=True)
    except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError):
        return None
    _, one, rest = text.partition(_ONE)
    between, other, _ = rest.partition(_OTHER)
    return between if one and other else None


def _refuse(message: str) -> None:
    raise ValueError(message)


def _default(template: object) -> str | None:
    """Of several templates by name, the one that is used when none is asked for."""
    if isinstance(template, list):
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _special(tokenizer: dict[str, Any], config: dict[str, Any]) -> Iterable[str]:
    added = tokenizer.get("added_tokens")
    if not isinstance(added, list):
        decoder = config.get("added_tokens_decoder")
        added = list(decoder.values()) if isinstance(decoder, dict) else []
    for token in added:
        if isinstance(token, dict) and token.get("special"):
            content = token.get("content")
            if isinstance(content, str) and content.strip() and content not in _OUR_TAGS:
                yield content


def _text(model: str, name: str) -> str | None:
    try:
        path = Path(model) / name if model and Path(model).is_dir() else _cached(model, name)
        return path.read_text(encoding="utf-8") if path else None
    except (OSError, ValueError):
        return None


def _cached(model: str, name: str) -> Path | None:
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(model, name)
    return Path(found) if isinstance(found, str) else None


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = load_json(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
