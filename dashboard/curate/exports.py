"""Exports of this workspace: written in the background, found again by their manifests."""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.curation.sets import SetRow
from backend.errors import WinnowError
from backend.export.exporter import MANIFEST, is_our_export
from backend.workspace import Workspace

log = logging.getLogger(__name__)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(slots=True)
class Going:
    """One export that this server is writing, or has failed to write."""

    folder: Path
    total: int
    done: int = 0
    error: WinnowError | None = None
    finished: bool = False


_going: dict[Path, Going] = {}
_lock = threading.Lock()


def folder_of(space: Workspace, frozen: SetRow, format: str, split: float, bundle: bool) -> Path:
    """Where an export with these choices goes."""
    name = _UNSAFE.sub("-", frozen.name).strip(".-") or "set"
    extra = (f"-split{split:g}" if split else "") + ("-bundle" if bundle else "")
    return space.folder / "exports" / f"{name}-{frozen.id}-v{frozen.version}-{format}{extra}"


def start(space: Workspace, frozen: SetRow, *, format: str, split: float, bundle: bool) -> Going:
    """Begin an export on a thread of its own; one that is going already is returned."""
    folder = folder_of(space, frozen, format, split, bundle)
    with _lock:
        known = _going.get(folder)
        if known is not None and not known.finished:
            return known
        going = _going[folder] = Going(folder, int(frozen.counts.get("items", 0)))

    def work() -> None:
        def progress(rows: int) -> None:
            going.done = rows

        try:
            space.export(
                frozen, format=format, out=folder, split=split, bundle=bundle, progress=progress
            )
        except WinnowError as error:
            going.error = error
        except Exception:
            log.exception("an export failed")
            going.error = WinnowError("the export failed", hint="the server's log says why")
        finally:
            going.finished = True

    threading.Thread(target=work, name=f"export-{folder.name}", daemon=True).start()
    return going


def going(space: Workspace) -> list[Going]:
    """Exports of this workspace that are being written, or that failed since the server started."""
    with _lock:
        return [
            one for one in _going.values()
            if space.folder in one.folder.parents and (not one.finished or one.error)
        ]  # fmt: skip


def forget(one: Going) -> None:
    """Take a failed export off the list."""
    with _lock:
        _going.pop(one.folder, None)


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
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    kinds = {"set": dict, "format": str, "rows": int, "created_at": int | float}
    if all(isinstance(content.get(name), kind) for name, kind in kinds.items()):
        return dict(content)
    log.warning("%s is no manifest of ours", manifest)
    return None
