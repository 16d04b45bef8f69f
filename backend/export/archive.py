"""An export as one file, for a download."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from backend.errors import ExportError
from backend.export.claim import MANIFEST, MEDIA, manifest_in, media_in, names_of
from backend.export.files import write_errors
from backend.files import Folder, WholeFile
from backend.files.folders import Kind

_SMALL = (".json", ".jsonl", ".txt")


def archive(folder: Path) -> Path:
    """Put a complete export into ``folder.zip`` beside it; media are stored, texts compressed.

    Only what its manifest names is packed, and nothing that is a link.

    Raises:
        ExportError: There is no complete export in the folder, another one took its place meanwhile, or
            the disk is full.
    """
    target = folder.with_name(folder.name + ".zip")
    with (
        write_errors(target),
        Folder.at(folder.parent, make=False) as above,
        above.inside(folder.name, make=False) as export,
    ):
        made = manifest_in(export)
        if made is None:
            raise ExportError(f"{folder.name} is no complete export", hint="export the set again")
        if above.kind(target.name) is Kind.FILE and _newer(above, target.name, export):
            return target
        with WholeFile(target, within=above) as file:
            with zipfile.ZipFile(file.stream, "w") as bundle:
                for name in sorted(names_of(made) - {MEDIA}):
                    _add(bundle, export, name, f"{folder.name}/{name}")
                for media, name in _media(export) if media_in(made) else ():
                    _add(bundle, media, name, f"{folder.name}/{MEDIA}/{name}")
            if manifest_in(export) != made:
                raise ExportError(f"{folder.name} was exported again meanwhile", hint="download it again")
    return target


def _newer(above: Folder, name: str, export: Folder) -> bool:
    packed = os.stat(name, dir_fd=above.descriptor, follow_symlinks=False)
    made = os.stat(MANIFEST, dir_fd=export.descriptor, follow_symlinks=False)
    # When the manifest came into its place counts, and not when it was written.
    return packed.st_mtime >= max(made.st_mtime, made.st_ctime)


def _media(export: Folder) -> Iterator[tuple[Folder, str]]:
    with export.inside(MEDIA, make=False) as media:
        for name in media.names():
            if media.kind(name) is Kind.FILE:
                yield media, name


def _add(bundle: zipfile.ZipFile, folder: Folder, name: str, inside: str) -> None:
    with folder.reading(name) as source:
        found = os.fstat(source.fileno())
        info = zipfile.ZipInfo(inside, time.localtime(max(found.st_mtime, 315_619_200.0))[:6])
        info.external_attr = 0o644 << 16
        info.file_size = found.st_size
        if name.endswith(_SMALL):
            info.compress_type = zipfile.ZIP_DEFLATED
            info._compresslevel = 1  # type: ignore[attr-defined]
        with bundle.open(info, "w") as target:
            shutil.copyfileobj(source, target, 1 << 20)
