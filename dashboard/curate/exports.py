"""Exports of this workspace: written in the background, found again by their manifests."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

from backend.curation.sets import SetRow
from backend.domain.json_text import load_json
from backend.domain.operations import Operation
from backend.export.claim import MANIFEST
from backend.export.exporter import ExportOptions, is_our_export
from backend.options import Options, changed
from backend.workspace import Workspace
from dashboard import tasks

log = logging.getLogger(__name__)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def folder_of(space: Workspace, frozen: SetRow, format: str, chosen: ExportOptions, own: Options | None = None) -> Path:
    """Where an export with these choices goes."""
    name = _UNSAFE.sub("-", frozen.name).strip(".-") or "set"
    extra = (f"-split{chosen.split:g}" if chosen.split else "") + ("-bundle" if chosen.bundle else "")
    further = {**({"judge": chosen.judge} if chosen.judge else {}), **(changed(own) if own else {})}
    if further:
        extra += f"-{hashlib.sha256(repr(sorted(further.items())).encode()).hexdigest()[:8]}"
    return space.folder / "exports" / f"{name}-{frozen.id}-v{frozen.version}-{format}{extra}"


def start(
    space: Workspace, frozen: SetRow, format: str, chosen: ExportOptions | None = None, own: Options | None = None
) -> None:
    """Begin an export, unless one into the same folder is going already.

    Args:
        own: The format's own options.
    """
    chosen = chosen or ExportOptions()
    folder = folder_of(space, frozen, format, chosen, own)
    if any(task.is_open and task.title == folder.name for task in space.tasks.list(Operation.EXPORT.name)):
        return
    arguments = {
        "set": frozen.id,
        "format": format,
        "out": str(folder.absolute()),
        **dict(chosen),
        "options": changed(own) if own else {},
        "total": int(frozen.counts.get("items", 0)),
    }
    tasks.begin(space, Operation.EXPORT, folder.name, arguments)


def finished(space: Workspace, frozen: SetRow) -> list[tuple[Path, dict[str, Any]]]:
    """Complete exports of a set with their manifests, newest first."""
    found = []
    for manifest in (space.folder / "exports").glob(f"*/{MANIFEST}"):
        content = _read(manifest)
        if content and content["set"].get("content_hash") == frozen.content_hash:
            found.append((manifest.parent, content))
    return sorted(found, key=lambda one: -float(one[1]["created_at"]))


def _read(manifest: Path) -> dict[str, Any] | None:
    """A manifest of ours; ``None`` where somebody has changed it, or it went meanwhile."""
    if not is_our_export(manifest.parent):
        return None
    try:
        content = load_json(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    kinds = {"set": dict, "format": str, "rows": int, "created_at": int | float}
    if all(isinstance(content.get(name), kind) for name, kind in kinds.items()):
        return dict(content)
    log.warning("%s is no manifest of ours", manifest)
    return None
