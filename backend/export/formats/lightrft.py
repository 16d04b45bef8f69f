"""LightRFT's ``imagegen-cot-reward-5k`` rows; videos use the key ``images`` too.

Beside them upstream's ``filtered_samples.json`` and statistics, so that scripts which read those go on
working; what is held out for validation stands in a file of its own there too. In a T2I
``filtered_samples.json``, ``path1`` is the preferred image and ``A`` says that it was shown first; in a T2V
one the paths are in shown order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from backend.domain.pairs import MediaKind, Preference
from backend.domain.prompts import answer_text
from backend.export.files import JsonArray
from backend.export.formats.base import Format, Writer
from backend.options import Options

if TYPE_CHECKING:
    from backend.export.rows import ExportRow


def _row(row: ExportRow, _options: Options) -> dict[str, Any]:
    training: dict[str, Any] = {
        "conversations": [{"from": "human", "value": row.instruction}, {"from": "gpt", "value": row.response}],
        "images": list(row.media),
    }
    if row.kind is MediaKind.VIDEO:
        training["video_fps"] = row.video_fps
    return training


class _Writer(Writer):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._counts: Counter[str] = Counter()

    def add(self, row: ExportRow, part: str) -> None:
        super().add(row, part)
        name = self.format.file_name(part, row.kind, self.kinds, "filtered_samples")
        self.open(name, JsonArray).add(_filtered(row))
        self._counts.update((row.kind.value, row.answer.value, part))

    def extras(self) -> Iterator[tuple[str, Any]]:
        total = self._counts["image"] + self._counts["video"]
        lines = [
            f"Filtered samples: {total}",
            *(f"{kind.value.capitalize()} pairs: {self._counts[kind.value]}" for kind in MediaKind),
            f"Answer 'first': {self._counts['first']}",
            f"Answer 'second': {self._counts['second']}",
            f"Training rows: {self._counts['train']}",
            f"Validation rows: {self._counts['val']}",
        ]
        yield "filtered_samples_stats.txt", "\n".join(lines) + "\n"


def _filtered(row: ExportRow) -> dict[str, Any]:
    first_wins = row.answer is Preference.FIRST
    path1, path2 = row.answer.ranked(*row.media) if row.kind is MediaKind.IMAGE else row.media
    sample: dict[str, Any] = {
        "prompt": row.prompt,
        "path1": path1,
        "path2": path2,
        "preference": "A" if first_wins else "B",
        "generated_text": row.text,
        "predicted_answer": answer_text(row.kind, row.answer),
        "reasoning": row.reasoning,
    }
    if row.kind is MediaKind.VIDEO:
        sample["score1_total"], sample["score2_total"] = row.totals
    return sample


LIGHTRFT = Format(
    name="lightrft",
    label="LightRFT: conversations with two media",
    purpose="`rejection_sampling_train.json` as LightRFT reads it; one file a medium for a mixed set.",
    programs=("LightRFT", "Winnow's own trainer"),
    row=_row,
    media=lambda row: tuple(row["images"]),
    stem="rejection_sampling_train",
    by_kind=True,
    as_chat=True,
    writer=_Writer,
)
