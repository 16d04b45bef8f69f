"""The formats: for each, which files a set becomes and what a row looks like in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pyarrow as pa

from backend.domain.pairs import MediaKind, Preference
from backend.domain.prompts import answer_text, noun
from backend.export.files import ExportFile, JsonArray, JsonLines, ParquetFile
from backend.export.rows import TrainingRow
from backend.files import Folder


class Writer:
    """Files of one export, opened when the first row for them comes.

    Args:
        folder: Where the files go.
        kinds: The media kinds of the set; a mixed set may become one file a kind.
        split: Whether validation files are written beside the training files.

    Attributes:
        as_chat: Whether its readers put the texts into a chat template.
        frames: Whether videos are written anew, with the frames that the judge was shown.
        places: What they put a medium for, wherever it stands in a text.
        joined: Rows that hold in one turn what the judge was shown in two.
    """

    as_chat = False
    frames = False
    places: tuple[str, ...] = ()

    def __init__(self, folder: Folder, kinds: set[MediaKind], *, split: bool) -> None:
        self.folder = folder
        self.kinds = kinds
        self.split = split
        self.stack = ExitStack()
        self.files: dict[str, Any] = {}
        self.joined = 0

    def add(self, row: TrainingRow, part: str) -> None:
        """Write one row to ``train`` or ``val``."""
        raise NotImplementedError

    def misread(self, row: TrainingRow) -> str | None:
        """What a row's texts spell that this format's readers take for something else: the place of a
        medium, or a special token. Such a row would not be trained on as it was judged."""
        if not self.as_chat:
            return None
        texts = (row.instruction, row.response)
        place = next((place for place in self.places for text in texts if place in text), None)
        return place or row.form.spelled(texts)

    def extras(self) -> Iterator[tuple[str, Any]]:
        """Small files to write beside the rows: name, and text or a JSON value."""
        return iter(())

    def open(self, name: str, make: Callable[..., ExportFile]) -> Any:
        """The file of that name, opened once."""
        if name not in self.files:
            file = make(self.folder.path / name, within=self.folder)
            self.files[name] = self.stack.enter_context(file)
        return self.files[name]

    def name(self, base: str, part: str, kind: MediaKind | None, ending: str) -> str:
        """File name: by kind for a mixed set, by part where there is a split."""
        if kind is not None and len(self.kinds) > 1:
            base += "_t2i" if kind is MediaKind.IMAGE else "_t2v"
        return f"{base}{'_val' if part == 'val' else ''}{ending}"


class LightRFT(Writer):
    """LightRFT's ``imagegen-cot-reward-5k`` rows; videos use the key ``images`` too.

    Beside them upstream's ``filtered_samples.json`` and statistics, so that scripts which read those
    go on working; what is held out for validation stands in a file of its own there too. In a T2I
    ``filtered_samples.json``, ``path1`` is the preferred image and ``A`` says that it was shown first;
    in a T2V one the paths are in shown order.
    """

    as_chat = True

    def __init__(self, folder: Folder, kinds: set[MediaKind], *, split: bool) -> None:
        super().__init__(folder, kinds, split=split)
        self._counts: Counter[str] = Counter()

    def add(self, row: TrainingRow, part: str) -> None:
        training: dict[str, Any] = {
            "conversations": [{"from": "human", "value": row.instruction}, {"from": "gpt", "value": row.response}],
            "images": list(row.media),
        }
        if row.kind is MediaKind.VIDEO:
            training["video_fps"] = row.video_fps
        name = self.name("rejection_sampling_train", part, row.kind, ".json")
        self.open(name, JsonArray).add(training)
        name = self.name("filtered_samples", part, row.kind, ".json")
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


def _filtered(row: TrainingRow) -> dict[str, Any]:
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


class ShareGPT(Writer):
    """ShareGPT rows as LLaMA-Factory and ms-swift read them, with LLaMA-Factory's ``dataset_info.json``.

    The instruction is the system message. Both programs want turns to alternate, and the judge was
    shown its media in two turns of the user. So both stand in one, and between them what the judge's
    chat template writes between two turns: the trainers' tokenizers read that as the same tokens.
    """

    as_chat = True
    places = ("<image>", "<video>", "<audio>", "<img>")

    def add(self, row: TrainingRow, part: str) -> None:
        word, name = row.kind.value, noun(row.kind)
        column = f"{word}s"
        between = row.form.between_users
        if between is None:
            self.joined += 1
            between = "\n"
        turn = f"**{name} 1:**<{word}>{between}**{name} 2:**<{word}>"
        record = {
            "conversations": [{"from": "human", "value": turn}, {"from": "gpt", "value": row.response}],
            "system": row.instruction,
            column: list(row.media),
        }
        self.open(self.name("winnow", part, row.kind, ".json"), JsonArray).add(record)

    def extras(self) -> Iterator[tuple[str, Any]]:
        info = {}
        for name in self.files:
            video = name.startswith("winnow_t2v") or self.kinds == {MediaKind.VIDEO}
            column = "videos" if video else "images"
            info[name.removesuffix(".json")] = {
                "file_name": name,
                "formatting": "sharegpt",
                "columns": {"messages": "conversations", "system": "system", column: column},
            }
        yield "dataset_info.json", info


class ShareGPTFrames(ShareGPT):
    """The same rows, whose videos hold the judge's own frames and no others: these programs choose the
    frames of a video by other rules than a judge's engine does."""

    frames = True


_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("prompt", pa.string()),
        ("instruction", pa.string()),
        ("first", pa.string()),
        ("second", pa.string()),
        ("answer", pa.string()),
        ("reasoning", pa.string()),
        ("response", pa.string()),
        ("recorded", pa.string()),
        ("video_fps", pa.float64()),
        ("key", pa.string()),
        ("index", pa.int64()),
        ("order", pa.string()),
        ("sample", pa.int64()),
        ("run", pa.int64()),
    ]
)


def _flat(row: TrainingRow) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in _SCHEMA.names}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, MediaKind | Preference) else value


class Parquet(Writer):
    """Flat rows in shown order, with where each comes from."""

    def add(self, row: TrainingRow, part: str) -> None:
        name = self.name("winnow", part, None, ".parquet")
        self.open(name, partial(ParquetFile, schema=_SCHEMA)).add(_flat(row))


class Jsonl(Writer):
    """The same flat rows as JSON lines."""

    def add(self, row: TrainingRow, part: str) -> None:
        self.open(self.name("winnow", part, None, ".jsonl"), JsonLines).add(_flat(row))


FORMATS: dict[str, type[Writer]] = {
    "lightrft": LightRFT,
    "sharegpt": ShareGPT,
    "sharegpt-frames": ShareGPTFrames,
    "parquet": Parquet,
    "jsonl": Jsonl,
}
