"""Media that lie in the export itself: copies, and videos of the frames that a judge was shown."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from backend.domain.pairs import MediaKind
from backend.errors import ExportError, MediaError
from backend.export.rows import TrainingRow
from backend.media.frames_file import write_frames
from backend.media.paths import MediaRoot
from backend.media.reading import read_medium
from backend.media.video import VideoFrames

_CHUNK = 1 << 20
_HINT = "bring it back or make room, or export without copying media"
MEDIA = "media"
"""Where they lie."""


class Bundler:
    """Puts media into the export, each once.

    They have their final folder when all are there: what an export that failed leaves behind is
    known as half, and does not stand in the way of the next one.

    Args:
        copies: Take every medium along, named by relative paths.
        frames: Write videos anew, with the judge's frames alone; where nothing else is taken along, named
            by absolute paths, as the media beside them are.
    """

    def __init__(self, out: Path, *, copies: bool, frames: bool) -> None:
        self._media, self._copies, self._frames = out / MEDIA, copies, frames
        self._partial = out / f"{MEDIA}.partial"
        self._known: dict[object, str] = {}
        if not (copies or frames):
            return
        try:
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir()
        except OSError as error:
            raise ExportError(
                f"{self._partial}: cannot be written ({error.strerror})",
                hint="make the folder writable, or export without copying media",
            ) from error

    def bundled(self, row: TrainingRow, root: MediaRoot) -> TrainingRow:
        """The row with the names that its media have in the export.

        Raises:
            ExportError: A medium is missing or broken, or the disk is full.
        """
        if not (self._copies or (self._frames and row.kind is MediaKind.VIDEO)):
            return row
        first, second = (self._taken(row, root, path) for path in row.media)
        return row._replace(first=first, second=second)

    def finish(self) -> None:
        """Give the media their final folder."""
        if not self._partial.exists():
            return
        try:
            os.replace(self._partial, self._media)
        except OSError as error:
            raise ExportError(
                f"{self._media}: cannot be written ({error.strerror})",
                hint="another folder stands in its place; move it away",
            ) from error

    def _taken(self, row: TrainingRow, root: MediaRoot, path: str) -> str:
        as_frames = self._frames and row.kind is MediaKind.VIDEO
        key = (path, row.video_fps, row.max_pixels) if as_frames else path
        if key not in self._known:
            name = hashlib.sha256(str(key).encode("utf-8", "surrogatepass")).hexdigest()[:24]
            # Of the name in the dataset: what a link leads to may be called by its content's hash.
            name += ".mp4" if as_frames else Path(path).suffix.lower()
            try:
                with root.open(path) as source:
                    if as_frames:
                        _write_shown(row, source, self._partial / name)
                    else:
                        with (self._partial / name).open("wb") as target:
                            shutil.copyfileobj(source, target, _CHUNK)
            except MediaError as error:
                raise ExportError(error.message, hint=error.hint or _HINT) from error
            except OSError as error:
                raise ExportError(
                    f"{path}: cannot be copied ({error.strerror})",
                    hint=_HINT,
                ) from error
            folder = MEDIA if self._copies else str(self._media.absolute())
            self._known[key] = f"{folder}/{name}"
        return self._known[key]


def _write_shown(row: TrainingRow, source: BinaryIO, target: Path) -> None:
    shown = read_medium(
        source, row.kind, fps=row.video_fps, max_pixels=row.max_pixels, factor=row.factor
    )
    assert isinstance(shown, VideoFrames)
    write_frames(target, shown.frames, fps=row.video_fps)
