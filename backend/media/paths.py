"""Where a dataset's paths may point: inside its data root and the folders that its links may lead to.

Dataset files come from strangers, and the files they name are served to browsers and sent to
engines. A path that leads to a file elsewhere is refused before anything is opened. Symbolic links are
followed at every opening, so that a link that was changed since is judged by where it leads now; one
that is put there between looking and opening is not followed (see :mod:`backend.media.opening`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.foreign_text import quoted
from backend.hints import Field, Hint
from backend.media.opening import open_medium

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"})
VIDEO_SUFFIXES = frozenset({".mp4", ".webm", ".mov", ".mkv", ".avi", ".m4v"})

_URL = re.compile(r"[a-z][a-z0-9+.-]*://|data:", re.IGNORECASE)


def resolve_media(data_root: Path, path: str, links_to: Sequence[str] = ()) -> Path:
    """The file that a dataset's path names, with every symbolic link followed.

    Args:
        data_root: The dataset's data root.
        path: As the dataset has it: relative to the data root, or absolute and inside it. The file
            need not exist.
        links_to: Other folders that it may lie in.

    Raises:
        MediaError: The path is empty, a URL, not a possible file name, or leaves these folders by
            ``..``, by being absolute, or through a symbolic link.
    """
    if not path:
        raise MediaError("a medium has an empty path")
    if _URL.match(path):
        raise MediaError(f"{path[:200]}: is a URL, not a file", hint="download the media below the data root")
    try:
        # realpath, not Path.resolve: a loop of links fails only when it is opened.
        roots = [os.path.realpath(folder) for folder in (str(data_root), *links_to)]
        named = os.path.join(data_root, name_on_disk(data_root, path))
        resolved = os.path.realpath(named)
    except (OSError, ValueError) as error:  # NUL, or characters no file name can hold
        raise MediaError(f"{quoted(path)}: is not a file name") from error
    if any(_lies_in(root, resolved) for root in roots):
        return Path(resolved)
    # Not Path.resolve, which follows links: this is about what was written.
    if _lies_in(os.path.abspath(data_root), os.path.abspath(named)):  # noqa: PTH100
        raise MediaError(
            f"{path}: leaves the data root by a symbolic link",
            hint=Hint(
                "add the dataset with {links}, if you trust that",
                links=Field("allow_links_to", str(Path(resolved).parent)),
            ),
        )
    raise MediaError(
        f"{path}: leaves the data root {data_root}", hint=Hint("set {data_root} to a folder that holds all media")
    )


def _lies_in(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def name_on_disk(data_root: Path | str, path: str) -> str:
    """``path`` as its file is called on the disk, where only the Unicode form (NFC or NFD) differs.

    Returns:
        ``path`` itself where there is such a file, or none in either form, or one in both.
    """
    if path.isascii():
        return path
    found = "/" if path.startswith("/") else os.fspath(data_root)
    parts = []
    for part in path.split("/"):
        forms = [
            form
            for form in (part, normalize("NFC", part), normalize("NFD", part))
            if os.path.lexists(os.path.join(found, form))
        ]
        if not forms or (part not in forms and len(set(forms)) > 1):
            return path
        parts.append(part if part in forms else forms[0])
        found = os.path.join(found, parts[-1])
    return "/".join(parts)


class MediaRoot:
    """Where the media of one dataset may lie: its data root, and the folders its links may lead to.

    Of many absolute names, each is refused as :func:`resolve_media` does; a folder's links are followed
    once and remembered, and only the file itself is looked at each time.
    """

    _MOST_FOLDERS = 100_000

    def __init__(self, data_root: str, links_to: Sequence[str] = ()) -> None:
        self._root = data_root
        self._links_to = tuple(links_to)
        self._folders: set[str] = set()

    def resolve(self, path: str) -> Path:
        """The file itself, see :func:`resolve_media`.

        Raises:
            MediaError: See there.
        """
        return resolve_media(Path(self._root), path, self._links_to)

    def open(self, path: str) -> BufferedReader:
        """The file itself, opened; what stands at its path is judged by the descriptor.

        Raises:
            MediaError: As :func:`resolve_media` says; or it is missing, or no regular file.
        """
        return open_medium(self.resolve(path))

    def join(self, path: str) -> str:
        """The file that ``path`` names, below the data root as that is written.

        Raises:
            MediaError: See :func:`resolve_media`.
        """
        path = name_on_disk(self._root, path)
        folder, _, name = path.rpartition("/")
        joined = os.path.join(self._root, path)
        if folder not in self._folders or name in ("", ".", "..") or ":" in path or "\0" in path:
            self.resolve(path)
            if len(self._folders) < self._MOST_FOLDERS and name not in ("", ".", ".."):
                self.resolve(f"{folder}/." if folder else ".")
                self._folders.add(folder)
        elif os.path.islink(joined):  # noqa: PTH114 - a Path for each would take twice as long
            self.resolve(path)
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
