"""Repairing files that other scripts made: every label bound to what was really shown.

Upstream's scripts shuffle each T2I pair before the judge sees it, store (preferred, rejected) and
keep an answer that speaks of the shuffled order; their T2V converter exchanges the videos of every
row whose preference is ``B`` and keeps the answer. Both invert the label of each row whose answer is
the second. What was shown follows exactly from what they stored:

====================================  ==========================================================
file                                  shown order
====================================  ==========================================================
T2I ``filtered_samples.json``         ``[path1, path2]`` for ``A``, ``[path2, path1]`` for ``B``
T2I training file                     exchanged where the answer is "Image 2"
T2V ``filtered_samples.json``         always ``[path1, path2]``
T2V training file                     cannot be known: refused
====================================  ==========================================================

Nothing in the name of a file tells which of these it is. A row says what it is about, and what
Winnow wrote is known by its layout, so that no file is read as what it is not: that would invert
labels which are right.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.datasets.json_rows import json_array
from backend.domain.pairs import MediaKind, Preference
from backend.domain.prompts import default_instruction, fill_instruction
from backend.domain.reading import parse_verdict, reasoning_of
from backend.errors import DatasetError, ExportError, MediaError, UsageError
from backend.export.exporter import is_our_export
from backend.export.files import JsonArray, first_row_of_ours
from backend.export.rows import response_text
from backend.hints import Field, Hint
from backend.media.paths import media_kind

_SIDES = {"A": Preference.FIRST, "B": Preference.SECOND}
_HINT = "a filtered_samples.json is wanted, or a T2I training file"
_HARM = "repairing it would exchange media that stand in the right order"
_NEEDED = ("prompt", "path1", "path2", "preference")
_VIDEO_KEYS = ("video_fps", "score1_total", "score2_total")
_ANSWER = re.compile(r"\b(image|video)(?:\s*[12]\s+is\s+better|s\s+are\s+equally\s+good)", re.IGNORECASE)
_TASKS = {MediaKind.IMAGE: "t2i", MediaKind.VIDEO: "t2v"}


@dataclass(slots=True)
class ConvertReport:
    """What a repair did.

    Attributes:
        inverted: Rows whose label upstream's converter inverts, or had inverted; right now.
        skipped: Rows left out: ties, unreadable ones, and answers that disagree with the preference.
        malformed: Rows left out because they lack what a row needs.
        first_malformed: The first of them and what it lacks.
    """

    rows: int = 0
    written: int = 0
    inverted: int = 0
    skipped: int = 0
    malformed: int = 0
    first_malformed: str | None = None


def convert_t2i(
    source: Path,
    output: Path,
    *,
    data_root: Path | None = None,
    task_instruction: str | None = None,
    made_elsewhere: bool = False,
) -> ConvertReport:
    """Repair a T2I ``filtered_samples.json`` or an already converted T2I training file.

    Args:
        data_root: What relative paths in ``source`` are relative to; its own folder by default.
        made_elsewhere: Another script wrote it, though it is laid out as Winnow's files are. What
            lies beside it, a manifest or a note of a repair, still speaks for itself.

    Raises:
        DatasetError: The file cannot be read, or is neither.
        ExportError: Winnow wrote it, so that it is right as it is.
    """
    template = task_instruction or default_instruction(MediaKind.IMAGE)
    root = _root(source, output, data_root)
    repair = _Repair(kind=MediaKind.IMAGE, template=template, root=root)
    return _convert(source, output, repair, made_elsewhere)


def convert_t2v(
    source: Path,
    output: Path,
    *,
    task_instruction: str | None = None,
    video_fps: float = 2.0,
    data_root: Path | None = None,
    made_elsewhere: bool = False,
) -> ConvertReport:
    """Convert a T2V ``filtered_samples.json``.

    Args:
        data_root: As for :func:`convert_t2i`.
        made_elsewhere: As for :func:`convert_t2i`; a training file is refused for what it is then.

    Raises:
        DatasetError: The file cannot be read, or is a training file whose order cannot be known.
        ExportError: Winnow wrote it, so that it is right as it is.
        UsageError: ``video_fps`` is no number of frames.
    """
    if not (math.isfinite(video_fps) and video_fps > 0):
        raise UsageError("must be a number greater than 0", about=Field("video_fps", video_fps))
    template = task_instruction or default_instruction(MediaKind.VIDEO)
    root = _root(source, output, data_root)
    repair = _Repair(kind=MediaKind.VIDEO, template=template, root=root, video_fps=video_fps)
    return _convert(source, output, repair, made_elsewhere)


def _root(source: Path, output: Path, data_root: Path | None) -> Path | None:
    """What to put before relative paths, so that they name the same files when they are read from the
    output's folder; ``None`` when they do so already."""
    if data_root is not None:
        return data_root.expanduser().absolute()
    return None if _real(source).parent == _real(output).parent else source.absolute().parent


def _convert(source: Path, output: Path, repair: _Repair, made_elsewhere: bool) -> ConvertReport:
    _refuse_ours(source, made_elsewhere)
    if not output.name:
        raise ExportError(f"{output} names no file", hint=Hint("give {output_path:FOLDER/train.json}"))
    if _real(source) == _real(output):
        raise ExportError(f"{output} is the file to repair", hint=Hint("give another {output_path}"))
    report = ConvertReport()
    with JsonArray(output) as file:
        for row in _repaired_rows(source, repair, report):
            file.add(row)
        if not report.rows:
            raise DatasetError(f"{source}: holds no rows", hint=_HINT)
        if report.malformed == report.rows:
            raise DatasetError(f"{source}: no row can be used; {report.first_malformed}", hint=_HINT)
    return report


def _refuse_ours(source: Path, made_elsewhere: bool) -> None:
    """Refuse a training file that Winnow wrote, wherever it was taken since. (Converting its
    ``filtered_samples.json`` is no harm: those are in upstream's order.)

    Its layout alone can be another script's too, so that a person may say whose it is; a manifest or
    a note beside it cannot.
    """
    try:
        row = first_row_of_ours(source)
    except OSError as error:
        raise DatasetError(f"{source}: cannot be read ({error.strerror})", hint=_HINT) from error
    exported = source.name.startswith(("rejection_sampling_train", "winnow"))
    if exported and is_our_export(source.parent):
        raise ExportError(
            f"{source} was written by Winnow and needs no repair",
            hint=f"{_HARM}; the manifest beside it says whose it is",
        )
    note = source.with_name(source.name + ".repaired.json")
    if note.exists():
        raise ExportError(f"{source} was written by a repair and needs no other", hint=f"{note.name} beside it says so")
    if row is not None and "conversations" in row and not made_elsewhere:
        raise ExportError(
            f"{source} was written by Winnow and needs no repair",
            hint=Hint("{harm}; where another script wrote it, one row a line too, say {made_elsewhere}", harm=_HARM),
        )


def _repaired_rows(source: Path, repair: _Repair, report: ConvertReport) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(_rows(source)):
        report.rows += 1
        try:
            fixed = repair.row(f"{source}: row {number}", row, report)
        except _Malformed as problem:
            report.malformed += 1
            report.first_malformed = report.first_malformed or f"row {number} {problem}"
            continue
        if fixed is None:
            report.skipped += 1
            continue
        report.written += 1
        yield fixed


class _Malformed(ValueError):
    """A row that lacks what it needs; the message goes on from its number."""


def _rows(source: Path) -> Iterator[Any]:
    try:
        yield from json_array(source)
    except OSError as error:
        raise DatasetError(f"{source}: cannot be read ({error.strerror})", hint=_HINT) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repair:
    """How the rows of one file are put right.

    Attributes:
        template: The task instruction.
        root: What to put before relative paths; ``None`` to leave them.
    """

    kind: MediaKind
    template: str
    root: Path | None
    video_fps: float | None = None

    def row(self, where: str, row: Any, report: ConvertReport) -> dict[str, Any] | None:
        """The row as it is right; ``None`` when it is not to be trained on.

        Raises:
            _Malformed: It lacks what it needs; the others can be used.
            DatasetError: It shows that the file is of another sort.
        """
        if not isinstance(row, dict):
            raise _Malformed("is no object")
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise _Malformed("holds characters that no text has") from error
        self._check_sort(where, row)
        fixed = self._trained(row, report) if "conversations" in row else self._judged(row, report)
        if fixed is None:
            return None
        if self.root is not None:
            fixed["images"] = [_below(self.root, path) for path in fixed["images"]]
        if self.video_fps is not None:
            fixed["video_fps"] = self.video_fps
        return fixed

    def _check_sort(self, where: str, row: dict[str, Any]) -> None:
        about = _medium(row)
        if "conversations" in row:
            if MediaKind.VIDEO in (self.kind, about):
                raise DatasetError(
                    f"{where} is a converted T2V row: which video was shown first cannot be known from it",
                    hint="give the filtered_samples.json that it was made from",
                )
            if "system" in row:
                raise DatasetError(f"{where} has its instruction apart, as ShareGPT files do", hint=_HINT)
        if about is not None and about is not self.kind:
            raise DatasetError(
                f"{where} is about {about.value}s, not about {self.kind.value}s",
                hint=Hint("{CONVERT} is the command for it", on=_TASKS[about]),
            )

    def _judged(self, row: dict[str, Any], report: ConvertReport) -> dict[str, Any] | None:
        """A row of a ``filtered_samples.json`` as a training row."""
        missing = [key for key in _NEEDED if not isinstance(row.get(key), str)]
        if missing:
            raise _Malformed(f"lacks {', '.join(missing)}")
        preferred = _SIDES.get(row["preference"])
        text = str(row.get("generated_text") or "")
        said = self._said(text) or self._said(row.get("predicted_answer"))
        if preferred is None or said is not preferred:
            return None
        media = (row["path1"], row["path2"])
        if self.kind is MediaKind.IMAGE:
            # path1 is the preferred image; "B" says that it was shown second.
            media = preferred.ranked(*media)
        report.inverted += preferred is Preference.SECOND
        reasoning = (str(row.get("reasoning") or "") or reasoning_of(text)).strip()
        return {
            "conversations": [
                {"from": "human", "value": fill_instruction(self.template, row["prompt"])},
                {"from": "gpt", "value": response_text(self.kind, reasoning, preferred)},
            ],
            "images": list(media),
        }

    def _trained(self, row: dict[str, Any], report: ConvertReport) -> dict[str, Any] | None:
        """A T2I training row with its media in shown order."""
        media, turns = row.get("images"), row["conversations"]
        if not (
            isinstance(media, list)
            and len(media) == 2
            and all(isinstance(path, str) for path in media)
            and isinstance(turns, list)
            and turns
            and isinstance(turns[-1], dict)
        ):
            raise _Malformed("lacks two images and turns")
        said = self._said(turns[-1].get("value"))
        if said not in (Preference.FIRST, Preference.SECOND):
            return None
        report.inverted += said is Preference.SECOND
        # Upstream wrote [preferred, rejected]; where the answer is 2, the preferred was shown second.
        return {**row, "images": list(said.ranked(*media))}

    def _said(self, text: object) -> Preference | None:
        return parse_verdict(str(text or ""), self.kind).answer


def _below(root: Path, path: str) -> str:
    return path if "://" in path else os.path.join(root, path)


def _medium(row: dict[str, Any]) -> MediaKind | None:
    """What a row is about: by the keys that only video rows have, else by its files, else by its
    answer; ``None`` when nothing tells."""
    if any(key in row for key in _VIDEO_KEYS):
        return MediaKind.VIDEO
    media = row.get("images") if "images" in row else [row.get("path1"), row.get("path2")]
    kinds = {_kind_of(path) for path in media} if isinstance(media, list) else set()
    kinds.discard(None)
    if len(kinds) > 1:
        raise _Malformed("has an image on one side and a video on the other")
    if kinds:
        return kinds.pop()
    turns = row.get("conversations")
    last = turns[-1] if isinstance(turns, list) and turns else None
    answers = (
        last.get("value") if isinstance(last, dict) else None,
        row.get("predicted_answer"),
        row.get("generated_text"),
    )
    found = (_ANSWER.findall(text) for text in answers if isinstance(text, str))
    return next((MediaKind(words[-1].lower()) for words in found if words), None)


def _kind_of(path: object) -> MediaKind | None:
    try:
        return media_kind(path) if isinstance(path, str) else None
    except MediaError:
        return None


def _real(path: Path) -> Path:
    """Where a path leads; of links that lead to each other, as far as that is told: opening says so.

    ``Path.resolve`` raises RuntimeError there, up to Python 3.12.
    """
    return Path(os.path.realpath(path))
