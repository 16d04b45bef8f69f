"""Where a dataset's paths may point: inside its data root, or nowhere.

Dataset files come from strangers, and the files they name are served to browsers and sent to
engines. A path that leaves the data root is refused before anything is opened.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from backend.domain.pairs import MediaKind
from backend.errors import MediaError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"}
)
VIDEO_SUFFIXES = frozenset({".mp4", ".webm", ".mov", ".mkv", ".avi", ".m4v"})

_URL = re.compile(r"[a-z][a-z0-9+.-]*://|data:", re.IGNORECASE)


def resolve_media(data_root: Path, path: str) -> Path:
    """The file that a dataset's path names, with every symbolic link followed.

    Args:
        data_root: The dataset's data root.
        path: As the dataset has it: relative to the data root, or absolute and inside it. The file
            need not exist.

    Raises:
        MediaError: The path is empty, a URL, not a possible file name, or leaves the data root by
            ``..``, by being absolute, or through a symbolic link.
    """
    if not path:
        raise MediaError("a medium has an empty path")
    if _URL.match(path):
        raise MediaError(
            f"{path[:200]}: is a URL, not a file", hint="download the media below the data root"
        )
    try:
        root = os.path.realpath(data_root)
        # realpath, not Path.resolve: a loop of links fails only when it is opened.
        resolved = os.path.realpath(os.path.join(root, path))
    except (OSError, ValueError) as error:  # NUL, or characters no file name can hold
        raise MediaError(f"{path[:200]!r}: is not a file name") from error
    if resolved != root and not resolved.startswith(root.rstrip(os.sep) + os.sep):
        raise MediaError(
            f"{path}: leaves the data root {data_root}",
            hint="set the data root (--data-root) to a folder that holds all media",
        )
    return Path(resolved)


class MediaRoot:
    """Absolute names for many paths of one data root, each refused as :func:`resolve_media` does.

    A folder's links are followed once and remembered; only the file itself is looked at each time.
    """

    _MOST_FOLDERS = 100_000

    def __init__(self, data_root: str) -> None:
        self._root = data_root
        self._folders: set[str] = set()

    def join(self, path: str) -> str:
        """The file that ``path`` names, below the data root as that is written.

        Raises:
            MediaError: See :func:`resolve_media`.
        """
        folder, _, name = path.rpartition("/")
        joined = os.path.join(self._root, path)
        if folder not in self._folders or name in ("", ".", "..") or ":" in path or "\0" in path:
            resolve_media(Path(self._root), path)
            if len(self._folders) < self._MOST_FOLDERS and name not in ("", ".", ".."):
                resolve_media(Path(self._root), f"{folder}/." if folder else ".")
                self._folders.add(folder)
        elif os.path.islink(joined):  # noqa: PTH114 - a Path for each would take twice as long
            resolve_media(Path(self._root), path)
        return joined


def media_kind(path: str) -> MediaKind:
    """Whether a file is an image or a video, by its extension.

    Raises:
        MediaError: The extension is of neither.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return MediaKind.IMAGE
    if suffix in VIDEO_SUFFIXES:
        return MediaKind.VIDEO
    raise MediaError(
        f"{path}: {suffix or 'no extension'} is neither an image nor a video",
        hint="known: " + " ".join(sorted(s[1:] for s in IMAGE_SUFFIXES | VIDEO_SUFFIXES)),
    )
