"""What ``winnow loop --train NAME=VALUE`` says of a training."""

from __future__ import annotations

from typing import Any

from backend.errors import UsageError
from backend.training.command import split_template

_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def training_values(given: list[str], *, may_unset: bool = False) -> dict[str, Any]:
    """``NAME=VALUE`` words as values of a training's spec.

    ``lora_rank=8`` (or ``lora.rank=8``) stands inside of ``lora``, and ``lora=yes`` takes adapters as
    they are by default. The command is split into its arguments as a shell would.

    Args:
        may_unset: ``NAME=`` is allowed, and ``None``.

    Raises:
        UsageError: A word is none of that.
    """
    values: dict[str, Any] = {}
    for word in given:
        name, equals, text = word.partition("=")
        name = name.strip().replace("-", "_").replace("lora.", "lora_")
        if not equals or not name or not (text or may_unset):
            raise UsageError(f"--train {word}: NAME=VALUE is wanted", hint="--train max_epochs=1")
        inner = name.removeprefix("lora_")
        if inner != name:
            before = values.get("lora")
            values["lora"] = {
                **(before if isinstance(before, dict) else {}),
                inner: _inner(inner, text) if text else None,
            }
        elif name == "lora" and text:
            values["lora"] = _adapters(text)
        elif name == "command" and text:
            values["command"] = split_template(text)
        else:
            values[name] = text or None
    return values


def _adapters(text: str) -> dict[str, Any] | bool:
    wanted = _YES_NO.get(text.lower())
    if wanted is None:
        raise UsageError(f"--train lora={text}: yes or no is wanted", hint="--train lora_rank=8")
    return {} if wanted else False


def _inner(name: str, text: str) -> str | list[str]:
    return text.split(",") if name == "target_modules" else text
