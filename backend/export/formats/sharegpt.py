"""ShareGPT rows as LLaMA-Factory and ms-swift read them, with LLaMA-Factory's ``dataset_info.json``.

The instruction is the system message. Both programs want turns to alternate, and the judge was shown its
media in two turns of the user. So both stand in one, and between them what the judge's chat template writes
between two turns: the trainers' tokenizers read that as the same tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from backend.domain.pairs import MediaKind
from backend.domain.prompts import noun
from backend.export.formats.base import MARKS, Format, Writer
from backend.options import Options

if TYPE_CHECKING:
    from backend.export.rows import ExportRow


def _row(row: ExportRow, _options: Options) -> dict[str, Any]:
    word, name = row.kind.value, noun(row.kind)
    between = "\n" if row.form.between_users is None else row.form.between_users
    turn = f"**{name} 1:**<{word}>{between}**{name} 2:**<{word}>"
    return {
        "conversations": [{"from": "human", "value": turn}, {"from": "gpt", "value": row.response}],
        "system": row.instruction,
        f"{word}s": list(row.media),
    }


class _Writer(Writer):
    def extras(self) -> Iterator[tuple[str, Any]]:
        info = {}
        for name in self.files:
            video = MARKS[MediaKind.VIDEO] in name or self.kinds == {MediaKind.VIDEO}
            column = "videos" if video else "images"
            info[name.removesuffix(self.format.ending)] = {
                "file_name": name,
                "formatting": "sharegpt",
                "columns": {"messages": "conversations", "system": "system", column: column},
            }
        yield "dataset_info.json", info


SHAREGPT = Format(
    name="sharegpt",
    label="ShareGPT, for LLaMA-Factory and ms-swift",
    purpose="ShareGPT rows with LLaMA-Factory's `dataset_info.json`.",
    programs=("LLaMA-Factory", "ms-swift"),
    row=_row,
    media=lambda row: tuple(row.get("images") or row["videos"]),
    by_kind=True,
    as_chat=True,
    one_turn=True,
    places=("<image>", "<video>", "<audio>", "<img>"),
    writer=_Writer,
)
