"""Writing a frozen set into a folder, its manifest last."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.pairs import MediaKind
from backend.errors import ExportError, UsageError
from backend.export.files import WholeFile, write_json
from backend.export.formats import FORMATS
from backend.export.missing import Missing
from backend.export.rows import RowMaker, TrainingRow
from backend.media.paths import MediaRoot
from backend.store.database import Database
from backend.store.sets import SetRow, Sets

MEDIA = "media"
"""Where the copies of a bundle lie."""
MANIFEST = "manifest.json"
_MADE_BY = "winnow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export holds. Its file is written last and means that the export is complete.

    Attributes:
        rows: Of training and validation together.
        validation_rows: Those of them that were held out.
        missing_media: A line on media that were not there when their rows were written.
    """

    format: str
    set_name: str
    set_version: int
    content_hash: str
    files: tuple[dict[str, Any], ...]
    rows: int
    validation_rows: int
    missing_media: str | None
    split: float
    bundle: bool
    lineage: dict[str, Any]
    created_at: float

    def to_mapping(self) -> dict[str, Any]:
        return {
            "made_by": _MADE_BY,
            "winnow": importlib.metadata.version("winnow"),
            "format": self.format,
            "set": {
                "name": self.set_name,
                "version": self.set_version,
                "content_hash": self.content_hash,
            },
            "rows": self.rows,
            "validation_rows": self.validation_rows,
            "missing_media": self.missing_media,
            "split": self.split,
            "bundle": self.bundle,
            "files": list(self.files),
            "lineage": self.lineage,
            "created_at": self.created_at,
        }


def export_set(
    database: Database,
    set_row: SetRow,
    *,
    format: str,
    out: Path,
    split: float = 0.0,
    bundle: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Manifest:
    """Write a frozen set into ``out``; memory does not grow with the set.

    Args:
        split: Share of pairs, drawn by their key, that goes into validation files. All predictions
            of a pair fall on one side.
        bundle: Copy the media into ``out/media`` and name them by relative paths.

    Raises:
        ExportError: The folder holds something else, a medium lies outside of its data root or is
            missing (``bundle``), or the disk is full. An earlier export is gone by then: a folder
            without its manifest is never taken for a complete one.
        UsageError: Unknown format.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown format {format!r}", hint=f"one of {', '.join(FORMATS)}")
    _claim(out)
    kinds = {kind for kind in MediaKind if set_row.counts.get(kind.value)}
    writer = FORMATS[format](out, kinds, split=split > 0)
    count = validation = 0
    bundler, missing = _Bundler(out) if bundle else None, Missing()
    with writer.stack:
        for row in _rows(database, set_row, bundler):
            if not bundle:
                missing.look(row)
            held_out = _held_out(row.key, split)
            writer.add(row, "val" if held_out else "train")
            count += 1
            validation += held_out
            if progress and count % 1000 == 0:
                progress(count)
    if bundler:
        bundler.finish()
    described = [file.describe() for file in writer.files.values()]
    described += [_write_extra(out / name, value) for name, value in writer.extras()]
    manifest = Manifest(
        format=format,
        set_name=set_row.name,
        set_version=set_row.version,
        content_hash=set_row.content_hash or "",
        files=tuple(described),
        rows=count,
        validation_rows=validation,
        missing_media=missing.line(),
        split=split,
        bundle=bundle,
        lineage=set_row.lineage,
        created_at=time.time(),
    )
    write_json(out / MANIFEST, manifest.to_mapping())
    if progress:
        progress(count)
    return manifest


def is_our_export(folder: Path) -> bool:
    """Whether ``folder`` holds a complete export of Winnow's."""
    try:
        made = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(made, dict) and made.get("made_by") == _MADE_BY


def _claim(out: Path) -> None:
    """Make the folder, or take over one that holds an earlier export; refuse any other."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        strangers = [path.name for path in out.iterdir() if not path.name.endswith(".partial")]
    except OSError as error:
        raise ExportError(
            f"{out}: cannot be written ({error.strerror})",
            hint="give another folder, or make this one writable",
        ) from error
    if strangers and not is_our_export(out):
        raise ExportError(
            f"{out} is not empty and holds no export of Winnow's",
            hint="give an empty folder, or delete what is in it",
        )
    if strangers:
        earlier = json.loads((out / MANIFEST).read_text())
        for file in earlier["files"]:
            (out / Path(file["name"]).name).unlink(missing_ok=True)
        if earlier.get("bundle"):
            shutil.rmtree(out / MEDIA, ignore_errors=True)
        # First, so that a folder without it is never taken for a complete export.
        (out / MANIFEST).unlink()


def _rows(database: Database, set_row: SetRow, bundler: _Bundler | None) -> Iterator[TrainingRow]:
    """The set's rows in their frozen order, with the copies of their media where they are bundled."""
    sets = Sets(database)
    makers = {run: RowMaker(spec, root) for run, (spec, root) in sets.runs_of(set_row).items()}
    for item in sets.iter_items(set_row.id):
        maker = makers[item.run_id]
        row = maker.row(item)
        yield bundler.bundled(row, maker.root) if bundler else row


def _write_extra(path: Path, value: Any) -> dict[str, Any]:
    """Write a small file, text or a JSON value; what the manifest says of it."""
    with WholeFile(path) as file:
        text = value if isinstance(value, str) else json.dumps(value, indent=2) + "\n"
        file.write(text.encode())
    return file.describe()


def _held_out(key: str, split: float) -> bool:
    if split <= 0:
        return False
    digest = hashlib.sha256(f"split:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < split


class _Bundler:
    """Copies media into the export, each file once.

    They have their final folder when all are there: what an export that failed leaves behind is
    known as half, and does not stand in the way of the next one.
    """

    def __init__(self, out: Path) -> None:
        self._media = out / MEDIA
        self._partial = out / f"{MEDIA}.partial"
        self._known: dict[str, str] = {}
        try:
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir()
        except OSError as error:
            raise ExportError(
                f"{self._partial}: cannot be written ({error.strerror})",
                hint="make the folder writable, or export without copying media",
            ) from error

    def bundled(self, row: TrainingRow, root: MediaRoot) -> TrainingRow:
        return row._replace(first=self._copy(root, row.first), second=self._copy(root, row.second))

    def finish(self) -> None:
        """Give the copies their final folder."""
        try:
            os.replace(self._partial, self._media)
        except OSError as error:
            raise ExportError(
                f"{self._media}: cannot be written ({error.strerror})",
                hint="another folder stands in its place; move it away",
            ) from error

    def _copy(self, root: MediaRoot, path: str) -> str:
        if path not in self._known:
            source = root.resolve(path)
            name = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:24]
            # Of the name in the dataset: what a link leads to may be called by its content's hash.
            name += Path(path).suffix.lower()
            try:
                shutil.copyfile(source, self._partial / name)
            except OSError as error:
                raise ExportError(
                    f"{source}: cannot be copied ({error.strerror})",
                    hint="bring it back or make room, or export without copying media",
                ) from error
            self._known[path] = f"{MEDIA}/{name}"
        return self._known[path]
