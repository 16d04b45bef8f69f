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
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ijson

from backend.domain.pairs import MediaKind, Preference
from backend.domain.prompts import default_instruction, fill_instruction
from backend.domain.verdict import parse_verdict, reasoning_of
from backend.errors import DatasetError, ExportError
from backend.export.exporter import is_our_export
from backend.export.files import JsonArray, write_json
from backend.export.rows import response_text

_SIDES = {"A": Preference.FIRST, "B": Preference.SECOND}
_HINT = "a filtered_samples.json is wanted, or a T2I training file"
_NEEDED = ("prompt", "path1", "path2", "preference")


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
) -> ConvertReport:
    """Repair a T2I ``filtered_samples.json`` or an already converted T2I training file.

    Raises:
        DatasetError: The file cannot be read, or is neither.
        ExportError: It is an export of Winnow's, which is right as it is.
    """
    return _convert(source, output, MediaKind.IMAGE, data_root, task_instruction, None)


def convert_t2v(
    source: Path,
    output: Path,
    *,
    task_instruction: str | None = None,
    video_fps: float = 2.0,
    data_root: Path | None = None,
) -> ConvertReport:
    """Convert a T2V ``filtered_samples.json``.

    Raises:
        DatasetError: The file cannot be read, or is a training file whose order cannot be known.
        ExportError: It is an export of Winnow's, which is right as it is.
    """
    return _convert(source, output, MediaKind.VIDEO, data_root, task_instruction, video_fps)


def _convert(
    source: Path,
    output: Path,
    kind: MediaKind,
    data_root: Path | None,
    template: str | None,
    video_fps: float | None,
) -> ConvertReport:
    if is_our_export(source.parent) and source.name.startswith("rejection_sampling_train"):
        raise ExportError(
            f"{source} was exported by Winnow and needs no repair",
            hint="repairing it would exchange media that stand in the right order",
        )
    if _repaired_note(source).exists():
        raise ExportError(
            f"{source} was written by a repair and needs no other",
            hint=f"{_repaired_note(source).name} beside it says so",
        )
    if source.resolve() == output.resolve():
        raise ExportError(f"{output} is the file to repair", hint="give another --output-path")
    template = template or default_instruction(kind)
    report = ConvertReport()
    with JsonArray(output) as file:
        for number, row in enumerate(_rows(source)):
            report.rows += 1
            where = f"{source}: row {number}"
            try:
                if not isinstance(row, dict):
                    raise _Malformed("is no object")
                if "conversations" in row:
                    fixed = _repaired(where, row, kind, report)
                else:
                    fixed = _from_filtered(row, kind, template, report)
            except _Malformed as problem:
                report.malformed += 1
                report.first_malformed = report.first_malformed or f"row {number} {problem}"
                continue
            if fixed is None:
                report.skipped += 1
                continue
            if data_root is not None:
                fixed["images"] = [str(data_root / path) for path in fixed["images"]]
            if video_fps is not None:
                fixed["video_fps"] = video_fps
            file.add(fixed)
            report.written += 1
        if not report.rows:
            raise DatasetError(f"{source}: holds no rows", hint=_HINT)
        if report.malformed == report.rows:
            raise DatasetError(
                f"{source}: no row can be used; {report.first_malformed}", hint=_HINT
            )
        # Before the rows appear under their name: a repaired file without its note could be
        # "repaired" again, which would invert it.
        write_json(_repaired_note(output), {"made_by": "winnow convert", **asdict(report)})
    return report


def _repaired_note(path: Path) -> Path:
    return path.with_name(path.name + ".repaired.json")


class _Malformed(ValueError):
    """A row that lacks what it needs; the message goes on from its number."""


def _rows(source: Path) -> Iterator[Any]:
    try:
        with source.open("rb") as stream:
            yield from ijson.items(stream, "item", use_float=True)
    except ijson.JSONError as error:
        raise DatasetError(
            f"{source}: invalid JSON ({str(error).splitlines()[0]})",
            hint="a JSON array is wanted; nothing was written",
        ) from error
    except OSError as error:
        raise DatasetError(f"{source}: cannot be read ({error.strerror})", hint=_HINT) from error


def _from_filtered(
    row: dict[str, Any], kind: MediaKind, template: str, report: ConvertReport
) -> dict[str, Any] | None:
    missing = [key for key in _NEEDED if not isinstance(row.get(key), str)]
    if missing:
        raise _Malformed(f"lacks {', '.join(missing)}")
    preferred = _SIDES.get(row["preference"])
    text = str(row.get("generated_text") or "")
    said = parse_verdict(text, kind).answer or _said(row.get("predicted_answer"), kind)
    if preferred is None or said is not preferred:
        return None
    media = [row["path1"], row["path2"]]
    if preferred is Preference.SECOND:
        report.inverted += 1
        if kind is MediaKind.IMAGE:
            # path1 is the preferred image; "B" says that it was shown second.
            media.reverse()
    reasoning = (str(row.get("reasoning") or "") or reasoning_of(text)).strip()
    return {
        "conversations": [
            {"from": "human", "value": fill_instruction(template, row["prompt"])},
            {"from": "gpt", "value": response_text(kind, reasoning, preferred)},
        ],
        "images": media,
    }


def _repaired(
    where: str, row: dict[str, Any], kind: MediaKind, report: ConvertReport
) -> dict[str, Any] | None:
    if kind is MediaKind.VIDEO:
        raise DatasetError(
            f"{where} is a converted T2V row: which video was shown first cannot be known from it",
            hint="give the filtered_samples.json that it was made from",
        )
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
    said = _said(turns[-1].get("value"), kind)
    if said not in (Preference.FIRST, Preference.SECOND):
        return None
    if said is Preference.SECOND:
        # Upstream wrote [preferred, rejected]; the judge saw the preferred one second.
        media = [media[1], media[0]]
        report.inverted += 1
    return {**row, "images": media}


def _said(text: object, kind: MediaKind) -> Preference | None:
    return parse_verdict(str(text or ""), kind).answer
