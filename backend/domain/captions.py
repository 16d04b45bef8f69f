"""Captions as text: what one spells is no token of a model, and no place of a medium.

Tokenizers read some spellings as control tokens wherever they stand (``<|image_pad|>``,
``<|im_end|>``, ``[IMG]``), and trainers count ``<image>`` and ``<video>`` as places of media. A caption
that spells one would break the prompt, or be cut off by it. So it is broken once, where the caption is
put into the instruction, by a space of no width behind its first character: every engine, every export
and every trainer is then given the same text, and each shows it to its judge as text.
"""

from __future__ import annotations

import re

BREAK = "\u200b"
"""ZERO WIDTH SPACE."""

# By shape and not by a list, because each family has its own: a word in angle brackets, with or
# without bars (Qwen, Llama, Gemma, DeepSeek, InternVL, LLaVA), in square ones (Mistral, GLM, InternLM),
# in triangles (Kimi). No body holds an opening, so that a break never changes what is one.
_TOKEN = re.compile(
    rf"<{BREAK}*+(?=[|｜][^<>\[◁\s]{{1,80}}>|/?[A-Za-z][\w.:-]{{0,80}}/?>)"
    rf"|\[{BREAK}*+(?=/?(?:[A-Z][A-Z0-9_]{{1,80}}|[gs]MASK|unused\d{{1,4}})\])"
    rf"|◁{BREAK}*+(?=[^<>\[◁▷\s]{{1,80}}▷)"
)


def as_text(caption: str) -> str:
    """The caption with a break in everything that a tokenizer or a trainer could take for a token.

    One more break where there are some already, so that :func:`from_text` gives back any caption.
    """
    return _TOKEN.sub(lambda found: found[0] + BREAK, caption)


def from_text(text: str) -> str:
    """The caption that :func:`as_text` made ``text`` of; one without breaks is given as it is."""
    return _TOKEN.sub(lambda found: found[0].removesuffix(BREAK), text)
