"""What is trained on: the exported rows of frozen sets, read one at a time."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json
from backend.domain.pairs import MediaKind
from backend.errors import TrainingError
from backend.export.formats import FORMATS, OURS
from backend.export.formats.base import MARKS, Format
from backend.training.folder import read_json, write_whole
from backend.training.registry import kind_of
from backend.training.spec import TrainingSpec

MEDIA = "media.json"
_MANIFEST = "manifest.json"
_AGAIN = "freeze the set again from the media as they are now, and start a new training"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One exported file of training rows.

    Attributes:
        kind: ``None`` for a file of both kinds.
    """

    path: Path
    kind: MediaKind | None
    rows: int
    validation: bool
    format: str = OURS


def set_folder(folder: Path, set_id: int) -> Path:
    """Where a set's export lies in a training's folder."""
    return folder / "data" / f"set-{set_id}"


def format_of(spec: TrainingSpec) -> str:
    """The format in which the trainer gets the sets."""
    return kind_of(spec).data_format or spec.data_format


def expected_files(spec: TrainingSpec, folder: Path) -> list[DataFile]:
    """The files that :func:`data_files` will find once the sets are exported, in the same order; their
    rows are not counted yet."""
    format = FORMATS[format_of(spec)]
    found = []
    for ref in sorted(spec.sets, key=lambda ref: ref.id):
        for kind in ref.kinds if format.by_kind else (None,):
            for part in ("train", "val") if spec.validation else ("train",):
                path = set_folder(folder, ref.id) / format.file_name(part, kind, ref.kinds)
                found.append(DataFile(path, kind, 0, part == "val", format.name))
    return found


def data_files(folder: Path) -> list[DataFile]:
    """The exported files of training rows in a training's folder, by set, then by name."""
    found = []
    exports = (folder / "data").glob("set-*")
    for export in sorted(exports, key=lambda path: (len(path.name), path.name)):
        manifest = read_json(export / _MANIFEST)
        for file in sorted(manifest.get("files", ()), key=lambda file: str(file["name"])):
            format, path = FORMATS[manifest["format"]], export / str(file["name"])
            if format.holds_rows(path.name) and file["rows"]:
                validation = path.stem.endswith("_val")
                found.append(DataFile(path, _kind(path, format), file["rows"], validation, format.name))
    return found


def _kind(path: Path, format: Format) -> MediaKind | None:
    if not format.by_kind:
        return None
    for kind, mark in MARKS.items():
        if path.stem.removesuffix("_val").endswith(mark):
            return kind
    return format.kind(next(format.rows(path)))


@dataclass(frozen=True, slots=True)
class Row:
    """One training row, in shown order; media paths are absolute."""

    kind: MediaKind
    instruction: str
    response: str
    media: tuple[str, str]


class Rows(Sequence[Row]):
    """The rows of some ``lightrft`` exports; only where each begins is kept in memory.

    Raises:
        TrainingError: A file is not what Winnow's exporter wrote.
    """

    def __init__(self, files: Sequence[DataFile]) -> None:
        self._files = list(files)
        self._places = array("q")
        self._owners = array("l")
        for number, file in enumerate(self._files):
            count = 0
            with file.path.open("rb") as stream:
                position = len(stream.readline())
                for line in stream:
                    if line.startswith(b"{"):
                        self._places.append(position)
                        self._owners.append(number)
                        count += 1
                    position += len(line)
            if count != file.rows:
                raise TrainingError(
                    f"{file.path} holds {count} rows, its manifest says {file.rows}",
                    hint="the file was changed after its export; start a new training",
                )

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        file = self._files[self._owners[index]]
        with file.path.open("rb") as stream:
            stream.seek(self._places[index])
            line = stream.readline()
        return parse_row(load_json(line.rstrip().rstrip(b",")), file)


def parse_row(value: dict[str, Any], file: DataFile) -> Row:
    """One row of a ``lightrft`` export."""
    first, second = (str(file.path.parent / path) for path in value["images"])
    turns = value["conversations"]
    kind = MediaKind.VIDEO if "video_fps" in value else MediaKind.IMAGE
    return Row(kind, turns[0]["value"], turns[-1]["value"], (first, second))


def check_media(folder: Path, progress: Callable[[int], None] | None = None) -> int:
    """Check that every medium is there, and as it was when this training began.

    The first call writes down each one's size and time; later ones compare.

    Returns:
        How many media there are.

    Raises:
        TrainingError: A medium is missing or was changed.
    """
    before = read_json(folder / "data" / MEDIA)
    now: dict[str, list[int]] = {}
    for path in _media(folder):
        if path in now:
            continue
        try:
            state = Path(path).stat()
        except OSError as error:
            raise TrainingError(f"{path}: missing ({error.strerror})", hint=f"bring it back, or {_AGAIN}") from error
        now[path] = [state.st_size, state.st_mtime_ns]
        if before and before.get(path) != now[path]:
            raise TrainingError(f"{path}: changed since the training began", hint=_AGAIN)
        if progress and len(now) % 1000 == 0:
            progress(len(now))
    if not before:
        write_whole(folder / "data" / MEDIA, now, below=folder)
    return len(now)


def _media(folder: Path) -> Iterator[str]:
    for file in data_files(folder):
        format = FORMATS[file.format]
        for row in format.rows(file.path):
            yield from (str(file.path.parent / path) for path in format.media(row))
