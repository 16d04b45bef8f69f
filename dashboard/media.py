"""Links to media and thumbnails: signed, expiring, bound to one browser session.

The client never names a path, only a signed pair and side; the path is looked up and resolved inside
its dataset's root at every request. A link stays the same for an hour, so that browsers keep what
they have loaded.
"""

from __future__ import annotations

import time
from typing import Literal

from backend.domain.pairs import MediaKind
from backend.errors import Forbidden
from dashboard.session import session_id
from dashboard.signing import keyed_bit, signer, verified
from dashboard.space import shared

Side = Literal["first", "second"]
"""In dataset order; the caller knows which order it shows."""
SIDES: tuple[Side, Side] = ("first", "second")

_SLOT_S = 3_600
_GOOD_FOR_S = 12 * 3_600
THUMBNAIL_SIZES = (160, 320, 640)


def media_url(pair_id: int, side: Side) -> str:
    """Where this browser finds one medium of a pair, whole."""
    return sign(session_id() or "", pair_id, side)


def thumb_url(pair_id: int, side: Side, size: int = 320) -> str:
    """Where this browser finds a WebP thumbnail whose longer edge has at most ``size`` pixels."""
    return sign(session_id() or "", pair_id, side, size)


def sign(session: str, pair_id: int, side: Side, size: int = 0) -> str:
    """A link for one session; ``size`` 0 is the medium itself."""
    if size and size not in THUMBNAIL_SIZES:
        raise ValueError(f"a thumbnail has one of {THUMBNAIL_SIZES}")
    expires = (int(time.time()) // _SLOT_S) * _SLOT_S + _GOOD_FOR_S
    values = [pair_id, _masked(session, pair_id, SIDES.index(side)), size, expires]
    token = signer(shared().folder, f"medium:{session}").dumps(values)
    return f"/winnow/{'thumb' if size else 'media'}/{token}"


def opened(session: str, token: str) -> tuple[int, Side, int]:
    """Pair, side and size of a link.

    Raises:
        Forbidden: It was made elsewhere, for another session, or is too old.
    """
    pair_id, masked, size, expires = verified(shared().folder, f"medium:{session}", token)
    if expires < time.time():
        raise Forbidden("this link is too old", hint="reload the page")
    side = SIDES[_masked(session, int(pair_id), masked)]
    return int(pair_id), side, int(size)


def _masked(session: str, pair_id: int, place: int) -> int:
    """The place of a side in :data:`SIDES` as the link carries it; applied twice, the place itself.

    A link can be read, only not made. In plain text it would say which medium stands first in the
    dataset, and in many datasets that is the better one: a blind reviewer must not see it.
    """
    return int(place) ^ keyed_bit(shared().folder, f"side:{session}", str(pair_id))


CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/mp4",
}
"""What browsers show as it is. Everything else is converted (images) or refused (videos)."""

__all__ = ["CONTENT_TYPES", "THUMBNAIL_SIZES", "MediaKind", "Side", "media_url", "opened", "sign", "thumb_url"]
