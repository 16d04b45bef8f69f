"""The caption inside the instruction of a training row.

Where the instruction's template is known, from the manifest beside the file or because it is one of
Winnow's own, the caption is what stands in its place, to the character. Instructions of other scripts are
searched for the forms in use; where none is found, or more than one, nothing is guessed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.datasets.base import RowProblem
from backend.domain.json_text import load_json
from backend.domain.pairs import MediaKind
from backend.domain.prompts import caption_from, default_instruction
from backend.media.opening import open_regular

Templates = Mapping[MediaKind, Sequence[str]]

_NAME = r"(?:(?:text|image|video|original|input|generation)\s+)?(?:caption|prompt)"
_COLON = r"[\s*_]*+[:：][\s*_]*+"
_LABELS = (
    # At the beginning of a line, of a sentence, or anywhere if a bracket or quote opens behind it.
    re.compile(rf"^(?:[^\S\n]|[*_#>-])*+{_NAME}{_COLON}", re.IGNORECASE | re.MULTILINE),
    re.compile(rf"(?<=[^\d][.!?]\s)(?=[A-Z])(?i:{_NAME}){_COLON}"),
    re.compile(rf"\b(?i:{_NAME}){_COLON}(?=[\[「\"“])"),
)
_BEFORE_CORNER = re.compile(rf"\b{_NAME}\b[^「」\[\]\"\n:：.!?。]{{0,80}}[:：]?[\s*_]*\Z", re.IGNORECASE)
_LOOK_BACK = 160
_LINE_ENDS = re.compile(r"[^\S\n]*[*_.]*[^\S\n]*(?:\n|\Z)")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^“”]+)”")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_PLACE = re.compile(r"<(?:image|video)>")
_MEDIA = 2


def templates_beside(path: Path) -> Templates:
    """The instruction templates of the runs behind an export of Winnow's, from its manifest; Winnow's
    own where there is none."""
    found: dict[MediaKind, list[str]] = {
        kind: [default_instruction(kind, use_cot=cot) for cot in (True, False)] for kind in MediaKind
    }
    try:
        with open_regular(path.parent / "manifest.json") as file:
            manifest = load_json(file.read())
        if not any(file["name"] == path.name for file in manifest["files"]):
            return found
        for run in manifest["lineage"]["runs"]:
            for kind in MediaKind:
                template = run["spec"]["instruction"][kind.value]
                if isinstance(template, str) and template not in found[kind]:
                    found[kind].append(template)
    except (OSError, ValueError, LookupError, TypeError):
        pass
    return found


def shared_end(instructions: Iterable[str]) -> str | None:
    """What several instructions end with alike, from the beginning of a line: the part behind the
    caption. ``None`` when all are the same, so that nothing tells where the caption ends."""
    distinct = {"".join(reversed(text)) for text in instructions}
    if len(distinct) < 2:
        return None
    alike = os.path.commonprefix(list(distinct))  # noqa: RUF071 - of texts, not of paths
    end = "".join(reversed(alike))
    return end[end.index("\n") :] if "\n" in end else ""


def caption_in(texts: Sequence[str], templates: Sequence[str], end: str | None) -> str:
    """The caption of one row.

    Args:
        texts: Where its instruction may stand, the likeliest first.
        end: See :func:`shared_end`.

    Raises:
        RowProblem: No caption is found, or several that differ.
    """
    for text in texts:
        exact = {caption_from(template, text) for template in templates} - {None}
        if len(exact) > 1:
            raise RowProblem("its caption cannot be told: more than one run's instruction fits")
        if exact:
            return str(exact.pop())
    for text in texts:
        if caption := caption_of(text, end):
            return caption
    raise RowProblem("no caption is found in its instruction")


def caption_of(instruction: str, end: str | None = None) -> str:
    """The caption inside an instruction whose template is not known.

    It stands in ``「…」`` behind the word caption or prompt, or behind ``Caption:`` or ``Prompt:``: in
    brackets or quotes up to the closing one; else up to ``end``, or to an empty line where that is not
    known. Other ``「…」`` count where there is but one.

    Returns:
        An empty text when none is found.

    Raises:
        RowProblem: Several are found that differ, or where it ends cannot be told.
    """
    text = instruction
    if len(_PLACE.findall(text)) == _MEDIA:
        text = _PLACE.sub("", text)
    corners = list(_corners(text))
    named = [inner for start, inner in corners if _BEFORE_CORNER.search(text, max(0, start - _LOOK_BACK), start)]
    captions = {inner.strip() for inner in named}
    for label in _LABELS if not captions else ():
        reached = 0
        for found in label.finditer(text):
            if found.start() >= reached:
                caption, reached = _behind(text, found.end(), end)
                captions.add(caption)
        if captions:
            break
    if not captions and len(corners) == 1:
        captions = {corners[0][1].strip()}
    if len(captions) > 1:
        raise RowProblem("its instruction names more than one caption")
    return captions.pop() if captions else ""


def _corners(text: str) -> Iterator[tuple[int, str]]:
    """Where each outermost ``「…」`` begins, and what is in it."""
    depth = start = 0
    for found in re.finditer("[「」]", text):
        if found[0] == "「":
            start = start if depth else found.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                yield start, text[start + 1 : found.start()]


def _behind(text: str, start: int, end: str | None) -> tuple[str, int]:
    """The caption that begins at ``start``, and where it ends."""
    opening = text[start : start + 1]
    if opening == "[":
        close = _closing(text, start)
        return text[start + 1 : close].strip(), close
    if opening == "「":
        inner = next((inner for at, inner in _corners(text) if at == start), None)
        if inner is not None:
            return inner.strip(), start + len(inner)
    quoted = _QUOTED.match(text, start)
    if quoted and _LINE_ENDS.match(text, quoted.end()):
        return (quoted[1] or quoted[2]).strip(), quoted.end()
    close = _plain_end(text, start, end)
    return text[start:close].strip().strip("*").strip(), close


def _closing(text: str, start: int) -> int:
    """Where the bracket that opens at ``start`` is closed."""
    depth = 0
    closed: int | None = None
    for found in re.finditer(r"[\[\]]", text[start:]):
        depth += 1 if found[0] == "[" else -1
        if not depth:
            closed = start + found.start()
            break
    every = [start + found.start() for found in re.finditer(r"\]", text[start:])]
    at_line_ends = [place for place in every if _LINE_ENDS.match(text, place + 1)]
    if closed in at_line_ends or [closed] == every:
        assert closed is not None
        return closed
    if len(at_line_ends) == 1:
        return at_line_ends[0]
    raise RowProblem("where the brackets of its caption close cannot be told")


def _plain_end(text: str, start: int, end: str | None) -> int:
    if end is None:
        blank = _BLANK_LINE.search(text, start)
        return blank.start() if blank else len(text)
    if end and text.endswith(end) and len(text) - len(end) >= start:
        return len(text) - len(end)
    if _BLANK_LINE.search(text, start):
        raise RowProblem("where its caption ends cannot be told: no text in common stands behind it")
    return len(text)


def turns_of(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of a row.

    Raises:
        RowProblem: There are none.
    """
    turns = item.get("conversations")
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise RowProblem("'conversations' is not a list of messages")
    return turns


def texts_of(item: Mapping[str, Any]) -> list[str]:
    """Where the instruction of a row may stand: ``system`` first, as a key or a turn, then the question.

    Raises:
        RowProblem: See :func:`turns_of`.
    """
    turns = turns_of(item)
    held = [item.get("system")]
    for who in ("system", "human"):
        held += [turn.get("value") for turn in turns if turn.get("from") == who]
    return [text for text in held if isinstance(text, str) and text]
