"""Looking whether the files that pairs name are there and can be opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.media.images import probe_media
from backend.media.opening import open_resolved, unopened
from backend.media.paths import resolve_media

_WORKERS = 16  # mostly waiting for the disk, or a network file system


class MediaCheck:
    """Checks files of one dataset by a pool of threads. A context manager."""

    def __init__(self, data_root: Path, links_to: Sequence[str] = ()) -> None:
        self._root = data_root
        self._links_to = links_to
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="media-check")

    def __enter__(self) -> MediaCheck:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def problems(self, media: Iterable[tuple[str, MediaKind]]) -> dict[tuple[str, MediaKind], tuple[str, str]]:
        """What is wrong with each medium that is not in order.

        Returns:
            Path and kind to ``missing`` or ``unreadable``, and a line about it.
        """
        distinct = list(dict.fromkeys(media))
        results = self._pool.map(self._problem, distinct)
        return {m: found for m, found in zip(distinct, results, strict=True) if found}

    def _problem(self, medium: tuple[str, MediaKind]) -> tuple[str, str] | None:
        path, kind = medium
        try:
            with open_resolved(resolve_media(self._root, path, self._links_to)) as file:
                probe_media(file, kind)
        except FileNotFoundError:
            return "missing", f"{path}: no such file"
        except (MediaError, OSError) as error:
            found = unopened(path, error) if isinstance(error, OSError) else error
            line = found.message.replace(str(self._root) + "/", "")
            return "unreadable", f"{line}; {found.hint}" if found.hint else line
        return None
