"""Writing a frozen set into a folder, its manifest last."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json
from backend.domain.pairs import MediaKind
from backend.errors import ExportError, UsageError
from backend.export.bundle import MEDIA, Bundler
from backend.export.files import WholeFile, write_json
from backend.export.formats import FORMATS
from backend.export.missing import Missing
from backend.export.rows import RowMaker, TrainingRow
from backend.foreign_text import quoted
from backend.media.paths import MediaRoot
from backend.store.database import Database
from backend.store.sets import SetRow, Sets

MANIFEST = "manifest.json"
_MADE_BY = "winnow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export holds. Its file is written last and means that the export is complete.

    Attributes:
        rows: Of training and validation together.
        validation_rows: Those of them that were held out.
        missing_media: A line on media that were not there when their rows were written.
        left_out: Rows that no trainer would read as they were judged, by what their texts spell.
        joined: Rows whose two media stand in one turn, because the judge's template is not known.
    """

    format: str
    set_name: str
    set_version: int
    content_hash: str
    files: tuple[dict[str, Any], ...]
    rows: int
    validation_rows: int
    missing_media: str | None
    left_out: dict[str, int]
    joined: int
    split: float
    bundle: bool
    lineage: dict[str, Any]
    created_at: float

    @property
    def notes(self) -> list[str]:
        """What a person has to know of the export, a line each."""
        notes = [self.missing_media] if self.missing_media else []
        if self.left_out:
            words = ", ".join(f"{word} ({count:,})" for word, count in self.left_out.items())
            notes.append(
                f"{sum(self.left_out.values()):,} rows left out, whose texts spell what trainers take "
                f"for the place of a medium or for a special token: {words}"
            )
        if self.joined:
            notes.append(
                f"{self.joined:,} rows show both media in one turn, though the judge was asked with "
                "two: its chat template is not known here; `winnow export --judge FOLDER` names it"
            )
        return notes

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
            "left_out": self.left_out,
            "notes": self.notes,
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
    judge: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Manifest:
    """Write a frozen set into ``out``; memory does not grow with the set.

    Args:
        split: Share of pairs, drawn by their key, that goes into validation files. All predictions
            of a pair fall on one side.
        bundle: Copy the media into ``out/media`` and name them by relative paths.
        judge: The model that will be trained on the rows, where it is not the one that judged: its
            chat template decides how they are written.

    Raises:
        ExportError: The folder holds something else, a medium lies outside of its data root or is
            missing (``bundle``), or the disk is full. An earlier export is gone by then: a folder
            without its manifest is never taken for a complete one.
        UsageError: Unknown format.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown format {quoted(format)}", hint=f"one of {', '.join(FORMATS)}")
    _claim(out)
    kinds = {kind for kind in MediaKind if set_row.counts.get(kind.value)}
    writer = FORMATS[format](out, kinds, split=split > 0)
    count = validation = 0
    left_out: Counter[str] = Counter()
    frames = writer.frames and MediaKind.VIDEO in kinds
    bundler, missing = Bundler(out, copies=bundle, frames=frames), Missing()
    with writer.stack:
        for row, root in _rows(database, set_row, judge):
            if word := writer.misread(row):
                left_out[word] += 1
                continue
            if not bundle:
                missing.look(row)
            row = bundler.bundled(row, root)
            held_out = _held_out(row.key, split)
            writer.add(row, "val" if held_out else "train")
            count += 1
            validation += held_out
            if progress and count % 1000 == 0:
                progress(count)
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
        left_out=dict(left_out.most_common(20)),
        joined=writer.joined,
        split=split,
        bundle=bundle,
        lineage=set_row.lineage,
        created_at=time.time(),
    )
    write_json(out / MANIFEST, manifest.to_mapping())
    if progress:
        progress(count)
    return manifest


def export_samples(database: Database, set_row: SetRow, file: Path) -> Manifest:
    """Write the filtered samples of a set of one medium, and beside them their statistics, alone.

    Args:
        file: Such as ``filtered_samples.json``; the statistics are ``filtered_samples_stats.txt`` then.

    Raises:
        ExportError: As of :func:`export_set`.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as beside:
            folder = Path(beside) / "export"
            manifest = export_set(database, set_row, format="lightrft", out=folder)
            os.replace(
                folder / "filtered_samples_stats.txt", file.with_name(f"{file.stem}_stats.txt")
            )
            os.replace(folder / "filtered_samples.json", file)
    except OSError as error:
        raise ExportError(
            f"{file}: cannot be written ({error.strerror})", hint="give another file"
        ) from error
    return manifest


def set_of_file(database: Database, file: Path) -> SetRow:
    """The set that a file of an export holds, by the manifest beside it.

    Raises:
        ExportError: It is no such file, it was changed since, or its set is not in this workspace.
    """
    hint = "name the set with --set; `winnow set list` shows those there are"
    try:
        made = load_json((file.parent / MANIFEST).read_text(encoding="utf-8"))
        known = {one["name"]: one["sha256"] for one in made["files"]}
        of = made["set"]
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{file}: is no training file with its manifest", hint=hint) from error
    if known.get(file.name) != digest:
        raise ExportError(f"{file}: is not as it was exported", hint=hint)
    for row in Sets(database).list():
        if (row.name, row.version, row.content_hash) == (
            of["name"], of["version"], of["content_hash"],
        ):  # fmt: skip
            return row
    raise ExportError(
        f"{file}: its set {of['name']}@{of['version']} is not in this workspace", hint=hint
    )


def is_our_export(folder: Path) -> bool:
    """Whether ``folder`` holds a complete export of Winnow's."""
    try:
        made = load_json((folder / MANIFEST).read_text(encoding="utf-8"))
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
        earlier = load_json((out / MANIFEST).read_text())
        for file in earlier["files"]:
            (out / Path(file["name"]).name).unlink(missing_ok=True)
        if earlier.get("bundle") or getattr(FORMATS.get(earlier.get("format")), "frames", False):
            shutil.rmtree(out / MEDIA, ignore_errors=True)
        # First, so that a folder without it is never taken for a complete export.
        (out / MANIFEST).unlink()


def _rows(
    database: Database, set_row: SetRow, judge: str | None
) -> Iterator[tuple[TrainingRow, MediaRoot]]:
    """The set's rows in their frozen order, each with the place of its media."""
    sets = Sets(database)
    runs = sets.runs_of(set_row)
    makers = {run: RowMaker(spec, root, judge) for run, (spec, root) in runs.items()}
    for item in sets.iter_items(set_row.id):
        maker = makers[item.run_id]
        yield maker.row(item), maker.root


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
