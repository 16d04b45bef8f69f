"""Exports of this workspace: written in the background, found again by their manifests."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from backend.curation.sets import SetRow
from backend.domain.json_text import load_json
from backend.errors import WinnowError
from backend.export.claim import MANIFEST
from backend.export.exporter import is_our_export
from backend.workspace import Workspace
from dashboard import background
from dashboard.background import Task

log = logging.getLogger(__name__)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_KIND = "export"


def folder_of(space: Workspace, frozen: SetRow, format: str, split: float, bundle: bool) -> Path:
    """Where an export with these choices goes."""
    name = _UNSAFE.sub("-", frozen.name).strip(".-") or "set"
    extra = (f"-split{split:g}" if split else "") + ("-bundle" if bundle else "")
    return space.folder / "exports" / f"{name}-{frozen.id}-v{frozen.version}-{format}{extra}"


def start(space: Workspace, frozen: SetRow, *, format: str, split: float, bundle: bool) -> Task:
    """Begin an export; one into the same folder that is going already is returned."""
    folder = folder_of(space, frozen, format, split, bundle)
    key = (_KIND, str(space.folder), folder.name)
    total = int(frozen.counts.get("items", 0))
    known = background.find(key)
    if known is not None and known.done:
        background.forget(key)

    def work(task: Task) -> Path:
        def progress(rows: int) -> None:
            task.say(f"{rows:,} of {total:,} rows")
            task.share = min(1.0, rows / max(1, total))

        try:
            space.export(frozen, format=format, out=folder, split=split, bundle=bundle, progress=progress)
        except WinnowError:
            raise
        except Exception as error:
            log.exception("an export failed")
            raise WinnowError("the export failed", hint="the server's log says why") from error
        return folder

    return background.begin(key, work)


def going(space: Workspace) -> dict[str, Task]:
    """By folder: exports that are being written, or that failed since the server started."""
    return {
        str(key[2]): task
        for key, task in background.named(_KIND)
        if isinstance(key, tuple) and key[1] == str(space.folder) and (not task.done or task.error)
    }


def put_away(space: Workspace, folder: str) -> None:
    """Take a failed export off the list."""
    background.forget((_KIND, str(space.folder), folder))


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
