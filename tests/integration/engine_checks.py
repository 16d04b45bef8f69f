"""What every engine must do with the driver's requests, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.integration.engine_driver import BASE, LIMIT, SPELLING

Results = dict[str, list[dict[str, Any]]]
Check = Callable[[Results], None]


def check_answers(results: Results) -> None:
    """Each image and video request has one answer, with its tokens counted."""
    greedy = results["greedy"]
    assert [outcome["id"] for outcome in greedy] == [0, 1, 2, 3, 4]
    for outcome in greedy:
        assert "error" not in outcome, outcome
        assert outcome["text"].strip()
        assert "<|im_end|>" not in outcome["text"]
        assert outcome["finish_reason"] in ("stop", "length")
        assert outcome["prompt_tokens"] > 20
        assert 0 < outcome["completion_tokens"] <= BASE["max_new_tokens"]


def check_cut_off(results: Results) -> None:
    """An answer that meets the token limit says so."""
    for outcome in results["cut"]:
        assert (outcome["finish_reason"], outcome["completion_tokens"]) == ("length", LIMIT)


def check_seeds(results: Results) -> None:
    """The same seed gives the same text, other seeds give others."""
    texts = [outcome["text"] for outcome in results["sampled"]]
    assert texts[0] == texts[3]
    assert len(set(texts[:3])) == 3


def check_isolation(results: Results) -> None:
    """A request that cannot be processed fails alone, and its neighbours' answers are the usual."""
    outcomes = results["broken"]
    assert [outcome["id"] for outcome in outcomes] == [0, 1, 2, 3, 4]
    for number in (0, 1, 2, 4):
        assert outcomes[number]["text"] == results["greedy"][number]["text"]
    assert "\n" not in outcomes[3]["error"] and outcomes[3]["error"]


def check_spelling(results: Results) -> None:
    """A caption that spells control tokens is judged as text; where the instruction spells one, that
    pair alone fails, in one line that names it."""
    *captions, instruction = results["spelling"]
    assert len(captions) == len(SPELLING)
    for caption, outcome, without in zip(SPELLING, captions, results["without"], strict=True):
        assert outcome.get("text", "").strip(), outcome
        # As text each takes several tokens of the prompt; a control token would be one, and the place
        # of a medium as many as the medium has.
        spelled = outcome["prompt_tokens"] - without["prompt_tokens"]
        assert 4 * caption.count("<") <= spelled <= 20 * caption.count("<"), (caption, spelled)
    assert "<|im_end|>" in instruction["error"] or "<|image_pad|>" in instruction["error"]
    assert instruction["hint"] and "\n" not in instruction["error"]


ALL: tuple[Check, ...] = (check_answers, check_cut_off, check_seeds, check_isolation, check_spelling)


def name(check: Check) -> str:
    return check.__name__.removeprefix("check_")
