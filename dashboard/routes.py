"""Routes beside Streamlit's own: media, thumbnails, and what components ask for.

Handlers are plain functions: Starlette runs them in threads, so that decoding or a query never
holds up Streamlit's event loop.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from backend.domain.pairs import MediaKind
from backend.errors import Forbidden, MediaError
from backend.media.thumbnails import browser_image, thumbnail
from backend.store.locating import locate
from dashboard.answering import answering
from dashboard.api import downloads, review
from dashboard.media import CONTENT_TYPES, opened
from dashboard.session import session_in
from dashboard.space import shared

_HOUR_S = 3_600
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": f"private, max-age={_HOUR_S}",
}


class OpenedFile(FileResponse):
    """An answer from a file that is open already: its path may lead elsewhere by now."""

    def __init__(self, file: BinaryIO, media_type: str) -> None:
        # /dev/fd opens what the descriptor is of, for each range anew.
        super().__init__(
            f"/dev/fd/{file.fileno()}", media_type=media_type, headers=_HEADERS, stat_result=os.fstat(file.fileno())
        )
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


@answering
def medium(request: Request) -> Response:
    """A medium as it lies on the disk, with HTTP Range; images that browsers cannot show as WebP."""
    file, name, kind, _ = _asked_for(request)
    content_type = CONTENT_TYPES.get(name.suffix.lower())
    if content_type is None or not content_type.startswith(kind.value):
        if kind is MediaKind.VIDEO:
            raise MediaError(
                f"{name.name}: browsers do not play this kind of file", hint="convert it to MP4 (H.264) or WebM (VP9)"
            )
        with file:
            shown = browser_image(file, _cache())
        return FileResponse(shown, media_type="image/webp", headers=_HEADERS)
    return OpenedFile(file, content_type)


@answering
def thumb(request: Request) -> Response:
    """A thumbnail, made at the first request."""
    file, _, kind, size = _asked_for(request)
    with file:
        small = thumbnail(file, kind, size or 320, _cache())
    return FileResponse(small, media_type="image/webp", headers=_HEADERS)


def _asked_for(request: Request) -> tuple[BinaryIO, PurePosixPath, MediaKind, int]:
    """The file, its name in the dataset (a link's end may be called by a hash), kind and size."""
    session = session_in(request.headers.get("cookie", ""))
    if session is None:
        raise Forbidden("media are shown to this server's own pages only", hint="open the dashboard")
    pair_id, side, size = opened(session, request.path_params["token"])
    found = locate(shared().database, pair_id)
    path = found.first if side == "first" else found.second
    return found.root.open(path), PurePosixPath(path), found.kind, size


def _cache() -> Path:
    return shared().cache / "thumbnails"


routes = [
    Route("/winnow/media/{token}", medium, methods=["GET", "HEAD"]),
    Route("/winnow/thumb/{token}", thumb, methods=["GET", "HEAD"]),
    *review.routes,
    *downloads.routes,
]
