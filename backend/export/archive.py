"""An export as one file, for a download."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from backend.errors import ExportError
from backend.export.exporter import is_our_export


def archive(folder: Path) -> Path:
    """Put a complete export into ``folder.zip`` beside it; media are stored, texts compressed.

    Raises:
        ExportError: There is no complete export in the folder, or the disk is full.
    """
    if not is_our_export(folder):
        raise ExportError(f"{folder.name} is no complete export", hint="export the set again")
    target = folder.with_name(folder.name + ".zip")
    if target.exists() and target.stat().st_mtime >= (folder / "manifest.json").stat().st_mtime:
        return target
    partial = target.with_name(target.name + ".partial")
    try:
        with zipfile.ZipFile(partial, "w") as bundle:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.name.endswith(".partial"):
                    inside = f"{folder.name}/{path.relative_to(folder).as_posix()}"
                    small = path.suffix in (".json", ".jsonl", ".txt")
                    method = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
                    bundle.write(path, inside, compress_type=method, compresslevel=1)
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExportError(f"{target.name}: cannot be written ({error.strerror})") from error
    return target
