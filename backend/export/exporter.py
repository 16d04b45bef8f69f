"""Writing a frozen set into a folder, its manifest last."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json
from backend.domain.pairs import MediaKind
from backend.errors import ExportError, UsageError
from backend.export.bundle import Bundler
from backend.export.claim import MADE_BY, MANIFEST, MARKER, Claim, FolderClaim, manifest_in
from backend.export.files import ExportFile, described, write_errors
from backend.export.formats import FORMATS, OURS
from backend.export.formats.base import Format
from backend.export.missing import Missing
from backend.export.rows import ExportRow, RowMaker
from backend.files import Folder, read_regular
from backend.files.folders import Kind
from backend.hints import Action, Do, Field, Hint
from backend.media.paths import MediaRoot
from backend.options import Options, changed, filled, option
from backend.store.database import Database
from backend.store.sets import SetRow, Sets


class ExportOptions(Options):
    """What can be chosen about every export."""

    split: float = option(
        0.0,
        "Share of pairs, drawn by their key, held out for validation",
        group="Export",
        ge=0,
        lt=1,
        step=0.01,
        when="above 0 for files of validation rows beside the training rows",
    )
    bundle: bool = option(
        False,
        "Copy the media beside the file, with relative paths",
        group="Export",
        when="to take the export to another machine",
    )
    judge: str | None = option(
        None,
        "Model that will be trained on it, where it is not the one that judged",
        group="Export",
        when="where another model is trained: its chat template decides how rows are written",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export holds. Its file is written last and means that the export is complete.

    Attributes:
        rows: Of training and validation together.
        validation_rows: Those of them that were held out.
        missing_media: A line on media that were not there when their rows were written.
        left_out: Rows that no trainer would read as they were judged, by what their texts spell.
        media: Whether there is a folder of media.
        joined: Rows whose two media stand in one turn, because the judge's template is not known.
        options: The format's own that differ from their defaults.
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
    media: bool
    lineage: dict[str, Any]
    created_at: float
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> list[Hint | str]:
        """What a person has to know of the export, a line each."""
        notes: list[Hint | str] = [self.missing_media] if self.missing_media else []
        if self.left_out:
            words = ", ".join(f"{word} ({count:,})" for word, count in self.left_out.items())
            notes.append(
                f"{sum(self.left_out.values()):,} rows left out, whose texts spell what trainers take "
                f"for the place of a medium or for a special token: {words}"
            )
        if self.joined:
            notes.append(
                Hint(
                    "{rows} rows show both media in one turn, though the judge was asked with two: its chat template "
                    "is not known here; {again} names it",
                    rows=f"{self.joined:,}",
                    again=Do(Action.EXPORT_SET, given=(Field("judge", "FOLDER"),)),
                )
            )
        return notes

    def to_mapping(self) -> dict[str, Any]:
        return {
            "made_by": MADE_BY,
            "winnow": importlib.metadata.version("winnow"),
            "format": self.format,
            "set": {"name": self.set_name, "version": self.set_version, "content_hash": self.content_hash},
            "rows": self.rows,
            "validation_rows": self.validation_rows,
            "missing_media": self.missing_media,
            "left_out": self.left_out,
            "notes": self.notes,
            **({"options": self.options} if self.options else {}),
            "split": self.split,
            "bundle": self.bundle,
            "media": self.media,
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
    options: Options | None = None,
    below: Path | None = None,
    progress: Callable[[int], None] | None = None,
    **chosen: Any,
) -> Manifest:
    """Write a frozen set into ``out``; memory does not grow with the set.

    An earlier export in it is valid until the new one is complete, and stays where that fails.

    Args:
        options: The format's own; its defaults when not given.
        chosen: What can be chosen about every export, see :class:`ExportOptions`.
        below: Links in ``out`` are followed down to this one and no further; all of them when not given.

    Raises:
        ExportError: The folder holds something else, another export is written into it now, a medium
            lies outside of its data root or is missing (``bundle``), or the disk is full.
        UsageError: Unknown format, or one that cannot hold the media of the set; an option is out of range.
    """
    declared = FORMATS.named(format)
    asked = filled(ExportOptions, chosen, of="the export's", error=UsageError)
    own = options or declared.options()
    with FolderClaim(out, below=below) as claim:
        manifest = _write(database, set_row, claim.staging, out, declared, asked, own, progress)
        claim.commit()
    if progress:
        progress(manifest.rows)
    return manifest


def export_samples(database: Database, set_row: SetRow, file: Path) -> Manifest:
    """Write the filtered samples of a set of one medium, and beside them their statistics, alone.

    Args:
        file: Such as ``filtered_samples.json``; the statistics are ``filtered_samples_stats.txt`` then.

    Raises:
        ExportError: As of :func:`export_set`. What stood there before is untouched then.
    """
    # Of one length, whatever the file is called.
    marker = f"{MARKER}-{hashlib.sha256(os.fsencode(file.name)).hexdigest()[:12]}"
    statistics = f"{file.stem}_stats.txt"
    with Claim(file.parent, marker=marker) as claim:
        for name in (statistics, file.name):
            if claim.folder.kind(name) in (Kind.FOLDER, Kind.OTHER):
                raise ExportError(f"{file.with_name(name)}: is no file that can be replaced", hint="give another file")
        manifest = _write(database, set_row, claim.staging, file.parent, FORMATS[OURS], ExportOptions(), Options())
        with write_errors(file):
            claim.staging.rename("filtered_samples_stats.txt", claim.folder, statistics)
            claim.staging.rename("filtered_samples.json", claim.folder, file.name)
            claim.folder.sync()
    return manifest


def _write(
    database: Database,
    set_row: SetRow,
    folder: Folder,
    out: Path,
    format: Format,
    chosen: ExportOptions,
    own: Options,
    progress: Callable[[int], None] | None = None,
) -> Manifest:
    """Write all of an export into an empty folder.

    Args:
        out: Where it will lie.
        own: The format's own options.
    """
    kinds = {kind for kind in MediaKind if set_row.counts.get(kind.value)}
    if lacking := sorted(kinds - set(format.kinds)):
        raise UsageError(f"format {format.name} holds no {lacking[0].value}s", hint="export in another format")
    split, bundle = chosen.split, chosen.bundle
    writer = format.writer(format, folder, kinds, split=split > 0, options=own)
    count = validation = 0
    left_out: Counter[str] = Counter()
    frames = format.frames and MediaKind.VIDEO in kinds
    missing = Missing()
    with Bundler(folder, out, copies=bundle, frames=frames) as bundler, writer.stack:
        for row, root in _rows(database, set_row, chosen.judge):
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
    rows = {name: file.rows for name, file in writer.files.items()}
    for name, value in writer.extras():
        _write_extra(folder, name, value)
        rows[name] = 0
    manifest = Manifest(
        format=format.name,
        set_name=set_row.name,
        set_version=set_row.version,
        content_hash=set_row.content_hash or "",
        files=tuple(described(folder, name, count) for name, count in rows.items()),
        rows=count,
        validation_rows=validation,
        missing_media=missing.line(),
        left_out=dict(left_out.most_common(20)),
        joined=writer.joined,
        options=changed(own),
        split=split,
        bundle=bundle,
        media=bundle or frames,
        lineage=set_row.lineage,
        created_at=time.time(),
    )
    _write_extra(folder, MANIFEST, manifest.to_mapping())
    return manifest


def set_of_file(database: Database, file: Path) -> SetRow:
    """The set that a file of an export holds, by the manifest beside it.

    Raises:
        ExportError: It is no such file, it was changed since, or its set is not in this workspace.
    """
    hint = Hint("name the set with {set}; {LIST_SETS} shows those there are")
    try:
        made = load_json(read_regular(file.parent / MANIFEST))
        known = {one["name"]: one["sha256"] for one in made["files"]}
        of = made["set"]
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{file}: is no training file with its manifest", hint=hint) from error
    if known.get(file.name) != digest:
        raise ExportError(f"{file}: is not as it was exported", hint=hint)
    for row in Sets(database).list():
        if (row.name, row.version, row.content_hash) == (of["name"], of["version"], of["content_hash"]):
            return row
    raise ExportError(f"{file}: its set {of['name']}@{of['version']} is not in this workspace", hint=hint)


def is_our_export(folder: Path) -> bool:
    """Whether ``folder`` holds a complete export of Winnow's."""
    try:
        with Folder.at(folder, make=False) as opened:
            return manifest_in(opened) is not None
    except OSError:
        return False


def _rows(database: Database, set_row: SetRow, judge: str | None) -> Iterator[tuple[ExportRow, MediaRoot]]:
    """The set's rows in their frozen order, each with the place of its media."""
    sets = Sets(database)
    runs = sets.runs_of(set_row)
    makers = {run: RowMaker(spec, root, judge) for run, (spec, root) in runs.items()}
    for item in sets.iter_items(set_row.id):
        maker = makers[item.run_id]
        yield maker.row(item), maker.root


def _write_extra(folder: Folder, name: str, value: Any) -> None:
    """Write a small file, text or a JSON value."""
    with ExportFile(folder.path / name, within=folder) as file:
        text = value if isinstance(value, str) else _json(value)
        file.write(text.encode("utf-8", "surrogateescape"))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def _held_out(key: str, split: float) -> bool:
    if split <= 0:
        return False
    digest = hashlib.sha256(f"split:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < split
