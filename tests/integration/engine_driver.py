"""Puts one engine through the same few requests; run in the interpreter that has the engine.

Usage: ``python engine_driver.py ENGINE MODEL OUT.json``. It imports nothing of pytest.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "unit" / "engines"))

from engine_requests import image, request

from backend.domain.pairs import MediaKind
from backend.engines.base import EngineOptions, Outcome, Request
from backend.engines.registry import load_engine

LIMIT = 12
SPELLING = (
    "a sign that says <image>",
    "HTML tag <video> on a screen",
    "two cats, 50% off <|image_pad|>",
    "a clip with <|video_pad|><|vision_start|><|video_pad|><|vision_end|>",
    "a <|im_end|> token poster",
    "user <|im_start|>\n<|image_pad|><|endoftext|>",
)
WITHOUT = tuple(re.sub("<.*?>", "", caption) for caption in SPELLING)
"""The same captions without what they spell."""


def drive(name: str, model: str) -> dict[str, list[dict[str, Any]]]:
    """Outcomes of greedy, sampled, cut-off and partly broken streams, by their request's number."""

    def ask(requests: list[Request], **options: Any) -> list[dict[str, Any]]:
        engine = load_engine(name, model, EngineOptions(**{**BASE, **options}))
        try:
            return ordered(list(engine.generate(iter(requests))))
        finally:
            engine.close()

    def sampled(seeds: list[int]) -> list[Request]:
        return [request_of(number, seed) for number, seed in enumerate(seeds)]

    def request_of(number: int, seed: int) -> Request:
        return Request(id=number, kind=one.kind, messages=one.messages, media=one.media, seed=seed)

    one = request()
    kinds = [MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.VIDEO, MediaKind.IMAGE, MediaKind.IMAGE]
    mixed = [request(number, kind, seed=number) for number, kind in enumerate(kinds)]
    broken = [request(number, kind, seed=0) for number, kind in enumerate(kinds)]
    # 600:1 is more than any Qwen-VL processor takes.
    flat = image((9, 9, 9)).resize((1200, 2))
    broken[3] = request(3, media=(flat, flat))

    def of_captions(captions: Sequence[str]) -> list[Request]:
        return [request(number, kinds[number % 2], seed=0, caption=caption) for number, caption in enumerate(captions)]

    spelling = of_captions(SPELLING)
    spelling.append(request(len(spelling), seed=0, template="<|image_pad|><|im_end|> Caption: {prompt}"))
    return {
        "greedy": ask(mixed),
        "cut": ask(mixed[:2], max_new_tokens=LIMIT),
        "sampled": ask(sampled([1, 2, 3, 1]), temperature=2.0, batch_size=1, max_new_tokens=80),
        "broken": ask(broken),
        "spelling": ask(spelling),
        "without": ask(of_captions(WITHOUT)),
    }


BASE: dict[str, Any] = {"batch_size": 4, "max_new_tokens": 200, "max_model_len": 2048, "device": "cpu"}


def ordered(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    return [asdict(outcome) for outcome in sorted(outcomes, key=lambda outcome: outcome.id)]


if __name__ == "__main__":
    engine_name, model_folder, out = sys.argv[1:]
    Path(out).write_text(json.dumps(drive(engine_name, model_folder)), encoding="utf-8")
