"""Downloads of finished exports: streamed from the disk, never through Streamlit's memory."""

from __future__ import annotations

import time
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from backend.errors import Forbidden, NotFound
from backend.export.archive import archive
from dashboard.answering import answering
from dashboard.session import session_id, session_in
from dashboard.signing import signer, verified
from dashboard.space import shared

_GOOD_FOR_S = 3_600


def download_url(folder: Path) -> str:
    """Where this browser can fetch an export as a zip file, for an hour."""
    claims = [folder.name, int(time.time()) + _GOOD_FOR_S]
    token = signer(shared().folder, f"download:{session_id() or ''}").dumps(claims)
    return f"/winnow/download/{token}"


@answering
def download(request: Request) -> Response:
    """One export as a zip file."""
    session = session_in(request.headers.get("cookie", ""))
    if session is None:
        raise Forbidden("downloads are for this server's own pages only")
    token = request.path_params["token"]
    name, expires = verified(shared().folder, f"download:{session}", token)
    if expires < time.time():
        raise Forbidden("this link is too old", hint="reload the page")
    folder = shared().folder / "exports" / Path(name).name
    if not folder.is_dir():
        raise NotFound(f"there is no export {folder.name}", hint="export the set again")
    packed = archive(folder)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return FileResponse(packed, media_type="application/zip", filename=packed.name, headers=headers)


routes = [Route("/winnow/download/{token}", download, methods=["GET"])]
