"""Media that lie in the export itself: copies, and videos of the frames that a judge was shown."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import IO, BinaryIO, Self

from backend.domain.pairs import MediaKind
from backend.errors import ExportError, MediaError
from backend.export.claim import MEDIA
from backend.export.files import write_errors
from backend.export.rows import ExportRow
from backend.files import Folder, WholeFile
from backend.media.frames_file import write_frames
from backend.media.paths import MediaRoot
from backend.media.reading import read_medium
from backend.media.video import VideoFrames

_CHUNK = 1 << 20
_HINT = "bring it back or make room, or export without copying media"


class Bundler:
    """Puts media into the export, each once.

    Args:
        folder: Where the export is written.
        out: Where it will lie.
        copies: Take every medium along, named by relative paths.
        frames: Write videos anew, with the judge's frames alone; where nothing else is taken along, named
            by absolute paths, as the media beside them are.
    """

    def __init__(self, folder: Folder, out: Path, *, copies: bool, frames: bool) -> None:
        self._out, self._copies, self._frames = out / MEDIA, copies, frames
        self._known: dict[object, str] = {}
        self._media: Folder | None = None
        if copies or frames:
            with write_errors(self._out):
                self._media = folder.fresh(MEDIA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._media is not None:
            self._media.sync()
            self._media.close()

    def bundled(self, row: ExportRow, root: MediaRoot) -> ExportRow:
        """The row with the names that its media have in the export.

        Raises:
            ExportError: A medium is missing or broken, or the disk is full.
        """
        if not (self._copies or (self._frames and row.kind is MediaKind.VIDEO)):
            return row
        first, second = (self._taken(row, root, path) for path in row.media)
        return row._replace(first=first, second=second)

    def _taken(self, row: ExportRow, root: MediaRoot, path: str) -> str:
        as_frames = self._frames and row.kind is MediaKind.VIDEO
        key = (path, row.video_fps, row.max_pixels) if as_frames else path
        if key not in self._known:
            name = hashlib.sha256(str(key).encode("utf-8", "surrogatepass")).hexdigest()[:24]
            # Of the name in the dataset: what a link leads to may be called by its content's hash.
            name += ".mp4" if as_frames else Path(path).suffix.lower()
            try:
                with root.open(path) as source, WholeFile(self._out / name, within=self._media, sync=False) as file:
                    if as_frames:
                        _write_shown(row, source, file.stream)
                    else:
                        shutil.copyfileobj(source, file.stream, _CHUNK)
            except MediaError as error:
                raise ExportError(error.message, hint=error.hint or _HINT) from error
            except OSError as error:
                raise ExportError(f"{path}: cannot be copied ({error.strerror})", hint=_HINT) from error
            folder = MEDIA if self._copies else str(self._out.absolute())
            self._known[key] = f"{folder}/{name}"
        return self._known[key]


def _write_shown(row: ExportRow, source: BinaryIO, target: IO[bytes]) -> None:
    shown = read_medium(source, row.kind, fps=row.video_fps, max_pixels=row.max_pixels, factor=row.factor)
    assert isinstance(shown, VideoFrames)
    try:
        write_frames(target, shown.frames, fps=row.video_fps)
    except MediaError as error:
        raise MediaError(f"{source.name}: {error.message}") from error
