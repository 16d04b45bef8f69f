"""A model's chat template, read from its files: what stands between two turns, and special tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.engines.chat_form import chat_form

CHATML = "<|im_end|>\n<|im_start|>user\n"
QWEN = (
    "{% set image_count = namespace(value=0) %}{% for message in messages %}{% if loop.first and "
    "message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content %}{% set image_count.value = "
    "image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}"
    "{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}"
    "<|im_start|>assistant\n{% endif %}"
)
"""Of the form of Qwen2.5-VL's own: content as a list, a system turn where none is given."""
GEMMA = (
    "{% for m in messages %}{% if m.role == 'user' %}<start_of_turn>user\n{{ m.content[0].text }}"
    "<end_of_turn>\n{% endif %}{% endfor %}"
)
ALTERNATING = (
    "{% for m in messages %}{% if loop.index0 > 1 and m.role == 'user' %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ m.content[0].text }}{% endfor %}"
)


def folder(path: Path, **files: Any) -> str:
    """A model's folder; ``__`` in a name stands for the dot."""
    path.mkdir(parents=True)
    for name, value in files.items():
        text = value if isinstance(value, str) else json.dumps(value)
        (path / name.replace("__", ".")).write_text(text)
    return str(path)


@pytest.mark.parametrize(
    "files",
    [
        {"chat_template__jinja": QWEN},
        {"chat_template__json": {"chat_template": QWEN}},
        {"tokenizer_config__json": {"chat_template": QWEN}},
        {
            "tokenizer_config__json": {
                "chat_template": [{"name": "tool_use", "template": GEMMA}, {"name": "default", "template": QWEN}]
            }
        },
    ],
    ids=["jinja", "json", "config", "named"],
)
def test_what_stands_between_two_turns_is_read_wherever_the_template_lies(
    tmp_path: Path, files: dict[str, Any]
) -> None:
    assert chat_form(folder(tmp_path / "m", **files)).between_users == CHATML


def test_another_family_has_other_words_between_its_turns(tmp_path: Path) -> None:
    made = folder(tmp_path / "m", chat_template__jinja=GEMMA)
    assert chat_form(made).between_users == "<end_of_turn>\n<start_of_turn>user\n"


@pytest.mark.parametrize(
    "template",
    [
        ALTERNATING,
        "{% for m in messages %}{{ m.content[1].text }}{% endfor %}",
        "{% for m in range(10 ** 12) %}x{% endfor %}",
        "{{ messages.__class__.__mro__ }}",
        "{% nonsense %}",
        "no place for a text",
    ],
)
def test_a_template_that_cannot_be_read_says_nothing(tmp_path: Path, template: str) -> None:
    made = folder(tmp_path / "qwen", chat_template__jinja=template)
    assert chat_form(made).between_users is None


def test_a_hub_name_is_told_by_its_files_in_the_cache_else_by_its_family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub.constants")
    snapshot = tmp_path / "models--org--judge" / "snapshots" / "abc"
    folder(snapshot, chat_template__jinja=GEMMA)
    (tmp_path / "models--org--judge" / "refs").mkdir()
    (tmp_path / "models--org--judge" / "refs" / "main").write_text("abc")
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    import huggingface_hub.file_download as download

    real = download.try_to_load_from_cache
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda name, file: real(name, file, cache_dir=tmp_path)
    )
    assert chat_form("org/judge").between_users == "<end_of_turn>\n<start_of_turn>user\n"
    assert chat_form("org/Qwen2.5-VL-7B-judge").between_users == CHATML
    for unknown in ("org/other", "judge", "", "x" * 10_000, "a\0b", "../.."):
        assert chat_form(unknown).between_users is None


def test_special_tokens_are_those_of_the_models_files_and_what_looks_like_one(tmp_path: Path) -> None:
    tokens = [
        {"content": "[INST]", "special": True},
        {"content": "<think>", "special": True},
        {"content": "<tool_call>", "special": False},
        {"content": " ", "special": True},
    ]
    form = chat_form(folder(tmp_path / "m", tokenizer__json={"added_tokens": tokens}))
    assert form.spelled(["plain", "say [INST] now"]) == "[INST]"
    assert form.spelled(["a <|anything_at_all|> b"]) == "<|anything_at_all|>"
    assert form.spelled(["<think>a</think>", "<tool_call> [inst] a < | b | >", "x |> <| y"]) is None
    older = {"added_tokens_decoder": {"5": {"content": "<s>", "special": True}}}
    assert chat_form(folder(tmp_path / "o", tokenizer_config__json=older)).spelled(["<s>"]) == "<s>"
    assert chat_form("unknown").spelled(["<s> <|im_end|>"]) == "<|im_end|>"
