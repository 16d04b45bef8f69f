"""One training row, from one prediction: the place where the invariant leaves the house.

Order, reasoning and answer of a row are those of one shown pair. Nothing here derives an order: it
is the prediction's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from backend.domain.pairs import MediaKind, MediaRef, Order, Pair, Preference
from backend.domain.prompts import answer_text, default_instruction, fill_instruction
from backend.domain.verdict import reasoning_of
from backend.store.sets import ItemRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRow:
    """Everything any format needs. ``first`` and ``second`` are in shown order.

    Attributes:
        answer: The label, ``first`` or ``second``, relative to the shown order.
        response: What the judge is trained to write.
        first: Path of the medium shown first, as the exported file will name it.
        recorded: The dataset's preference relative to the shown order.
    """

    kind: MediaKind
    prompt: str
    instruction: str
    first: str
    second: str
    answer: Preference
    reasoning: str
    response: str
    text: str
    video_fps: float
    recorded: Preference
    totals: tuple[float | None, float | None]
    key: str
    index: int
    order: Order
    sample: int
    run: int

    @property
    def media(self) -> tuple[str, str]:
        return (self.first, self.second)


def training_row(item: ItemRow, spec: dict[str, Any], data_root: str) -> TrainingRow:
    """The training row of one accepted prediction, with absolute media paths."""
    kind = MediaKind(item.kind)
    shown = Pair(
        key=item.key,
        index=item.idx,
        kind=kind,
        prompt=item.prompt,
        first=MediaRef(path=item.first_path),
        second=MediaRef(path=item.second_path),
        preference=Preference(item.preference),
    ).shown(Order(item.shown_order))
    answer = Preference(item.answer)
    use_cot = bool(spec.get("use_cot", True))
    reasoning = reasoning_of(item.text).strip() if use_cot else ""
    template = (spec.get("instruction") or {}).get(item.kind)
    first_total, second_total = item.scores.get("totals") or (None, None)
    return TrainingRow(
        kind=kind,
        prompt=item.prompt,
        instruction=fill_instruction(
            template or default_instruction(kind, use_cot=use_cot), item.prompt
        ),
        first=os.path.join(data_root, shown.first.path),
        second=os.path.join(data_root, shown.second.path),
        answer=answer,
        reasoning=reasoning,
        response=response_text(kind, reasoning, answer),
        text=item.text,
        video_fps=float((spec.get("options") or {}).get("video_fps", 2.0)),
        recorded=shown.preferred,
        totals=(first_total, second_total),
        key=item.key,
        index=item.idx,
        order=shown.order,
        sample=item.sample,
        run=item.run_id,
    )


def response_text(kind: MediaKind, reasoning: str, answer: Preference) -> str:
    """A completion in the one form that LightRFT's training rows have.

    Rebuilt from what was read, so that stray text around the tags is not trained on.
    """
    tail = f"<answer>{answer_text(kind, answer)}</answer>"
    return f"<think>\n{reasoning}\n</think>\n{tail}" if reasoning else tail
