"""The error edge of our HTTP routes: one line and a hint as JSON, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from backend.errors import Forbidden, MediaError, NotFound, StoreUnavailable, WinnowError
from dashboard.hints import message_of, plain

log = logging.getLogger(__name__)

Handler = Callable[[Request], Response]
_STATUS: tuple[tuple[type[WinnowError], int], ...] = (
    (Forbidden, 403),
    (NotFound, 404),
    (MediaError, 422),
    (StoreUnavailable, 503),
    (WinnowError, 400),
)


def answering(handler: Handler) -> Handler:
    """The routes' error edge: one line and a hint as JSON, never a traceback."""

    @wraps(handler)
    def wrapped(request: Request) -> Response:
        try:
            return handler(request)
        except WinnowError as error:
            status = next(code for kind, code in _STATUS if isinstance(error, kind))
            return _refusal(status, message_of(error), plain(error.hint))
        except Exception:
            log.exception("route %s failed", request.url.path.split("/")[2])
            return _refusal(500, "something went wrong here", "the server's log says what")

    return wrapped


def _refusal(status: int, message: str, hint: str) -> JSONResponse:
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return JSONResponse({"message": message, "hint": hint or None}, status, headers=headers)
