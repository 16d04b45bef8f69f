"""One training row, from one prediction: the place where the invariant leaves the house.

Order, reasoning and answer of a row are those of one shown pair. Nothing here derives an order: it
is the prediction's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from backend.domain.pairs import MediaKind, MediaRef, Order, Pair, Preference
from backend.domain.prompts import answer_text, default_instruction, fill_instruction
from backend.domain.reading import reasoning_of
from backend.engines.chat_form import ChatForm, chat_form
from backend.engines.models import pixel_factor
from backend.errors import ExportError, MediaError
from backend.media.paths import MediaRoot
from backend.store.sets import ItemRow

# Looking a member up is twice as fast as making it from its value.
_KINDS = {kind.value: kind for kind in MediaKind}
_ORDERS = {order.value: order for order in Order}
_SIDES = {side.value: side for side in Preference}


class ExportRow(NamedTuple):
    """Everything any format needs. ``first`` and ``second`` are in shown order. A tuple, because a
    million of them pass by.

    Attributes:
        answer: The label, ``first`` or ``second``, relative to the shown order.
        response: What the judge is trained to write.
        first: Path of the medium shown first, as the exported file will name it.
        recorded: The dataset's preference relative to the shown order.
        form: How the judge's chat template writes a conversation.
        max_pixels: Of an image or a frame, as the judge was shown it; ``None`` for as it is.
        factor: Of the judge, see :func:`backend.engines.models.pixel_factor`.
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
    index: int  # type: ignore[assignment]  # also the name of a method of tuples, unused here
    order: Order
    sample: int
    run: int
    form: ChatForm
    max_pixels: int | None
    factor: int

    @property
    def media(self) -> tuple[str, str]:
        return (self.first, self.second)


class RowMaker:
    """Makes the rows of one run.

    Args:
        spec: The run's, as stored; the instruction that the judge was given is in it.
        root: Where the dataset's media are.
        judge: The model that will read the rows, where it is not the run's.
    """

    def __init__(self, spec: dict[str, Any], root: MediaRoot | str, judge: str | None = None) -> None:
        judge = judge or str(spec.get("model") or "")
        self._form, self._factor = chat_form(judge), pixel_factor(judge)
        self.root = MediaRoot(root) if isinstance(root, str) else root
        self._use_cot = bool(spec.get("use_cot", True))
        options = spec.get("options") or {}
        self._fps = float(options.get("video_fps", 2.0))
        self._max_pixels = options.get("max_pixels")
        given = spec.get("instruction") or {}
        self._templates = {
            kind: given.get(kind.value) or default_instruction(kind, use_cot=self._use_cot) for kind in MediaKind
        }

    def row(self, item: ItemRow) -> ExportRow:
        """The training row of one accepted prediction, with absolute media paths.

        Raises:
            ExportError: A medium's path leaves the data root; names the pair.
        """
        kind = _KINDS[item.kind]
        shown = Pair(
            key=item.key,
            index=item.idx,
            kind=kind,
            prompt=item.prompt,
            first=MediaRef(path=item.first_path),
            second=MediaRef(path=item.second_path),
            preference=_SIDES[item.preference],
        ).shown(_ORDERS[item.shown_order])
        try:
            first, second = self.root.join(shown.first.path), self.root.join(shown.second.path)
        except MediaError as error:
            raise ExportError(f"pair {item.idx} ({item.key}): {error.message}", hint=error.hint) from error
        answer = _SIDES[item.answer]
        reasoning = reasoning_of(item.text).strip() if self._use_cot else ""
        first_total, second_total = item.scores.get("totals") or (None, None)
        return ExportRow(
            kind=kind,
            prompt=item.prompt,
            instruction=fill_instruction(self._templates[kind], item.prompt),
            first=first,
            second=second,
            answer=answer,
            reasoning=reasoning,
            response=response_text(kind, reasoning, answer),
            text=item.text,
            video_fps=self._fps,
            recorded=shown.preferred,
            totals=(first_total, second_total),
            key=item.key,
            index=item.idx,
            order=shown.order,
            sample=item.sample,
            run=item.run_id,
            form=self._form,
            max_pixels=self._max_pixels,
            factor=self._factor,
        )


def response_text(kind: MediaKind, reasoning: str, answer: Preference) -> str:
    """A completion in the one form that LightRFT's training rows have.

    Rebuilt from what was read, so that stray text around the tags is not trained on.
    """
    tail = f"<answer>{answer_text(kind, answer)}</answer>"
    return f"<think>\n{reasoning}\n</think>\n{tail}" if reasoning else tail
