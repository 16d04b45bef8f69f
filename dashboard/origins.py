"""The server's door: only its own pages may call it, and only under its own names.

A browser sends the cookies of ``localhost`` to every port of it, and lets any page open a websocket to
anywhere. What tells our page from a stranger's is ``Origin``, down to scheme and port; what tells our
server from a foreign name that was pointed at this machine (DNS rebinding) is ``Host``. Streamlit looks at
neither closely enough, and asks a service elsewhere for this machine's address while it looks.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Set
from dataclasses import dataclass
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.domain.origins import Origin
from dashboard.exposure import is_loopback

log = logging.getLogger(__name__)

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LOGOUT = "/auth/logout"
_NO_FRAME = "frame-ancestors 'self'"


@dataclass(frozen=True)
class Door:
    """What the server is called, and so whose calls it takes.

    Attributes:
        public: Origins that a reverse proxy, or a name of this machine, gives it.
        scheme: ``https`` where this server itself speaks TLS.
        address: What it listens on; ``None`` is every address.
    """

    public: Set[Origin] = frozenset()
    scheme: str = "http"
    address: str | None = "127.0.0.1"

    def called(self, host: str, port: int | None) -> Origin | None:
        """Which of its own origins a ``Host`` header means; ``None`` where it means none of them.

        Args:
            host: The header.
            port: The one that the server listens on.
        """
        for scheme in (self.scheme, "https", "http"):
            origin = Origin.at(scheme, host)
            if origin is not None and origin in self.public:
                return origin
        origin = Origin.at(self.scheme, host)
        if origin is not None and origin.port == port and self._own_name(origin.host):
            return origin
        return None

    def refuses(self, scope: Scope) -> tuple[str, str] | None:
        """Why a request or a websocket is refused: one line and a hint; ``None`` where it is not."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        here = self.called(hosts[0], scope["server"][1]) if len(hosts) == 1 else None
        if here is None:
            return (
                "this server is not known by that name",
                "open it under the address that `winnow serve` printed, or name this one in WINNOW_PUBLIC_URL",
            )
        if origins:
            # A proxy may call the server by the name that it has here; its page is ours all the same.
            own = {here} if here in self.public else {here, *self.public}
            if len(origins) > 1 or Origin.parse(origins[0]) not in own:
                return _foreign()
        elif scope["type"] == "websocket" or (
            # Our own routes ask such a call for its token, which no foreign page has.
            scope["method"] not in _READING and not scope["path"].startswith("/winnow/")
        ):
            return "this call does not say which page it comes from", "use a browser"
        if headers.get("sec-fetch-site", "none") in ("cross-site", "same-site"):
            # Somebody may follow a link to us; nothing else of a foreign page leads here.
            follows = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
            if not follows or scope["path"].endswith(_LOGOUT):
                return _foreign()
        return None

    def _own_name(self, name: str) -> bool:
        if name in _LOOPBACK:
            return True
        if is_loopback(self.address):
            return False
        machine = socket.gethostname().lower()
        if name in (self.address, machine, machine.partition(".")[0]):
            return True
        try:
            # A number is nobody's to point elsewhere.
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


class DoorMiddleware:
    """Asks the door about every request and every websocket, Streamlit's own too."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._door.refuses(scope)
        if refusal is not None:
            headers = Headers(scope=scope)
            log.warning(
                "refused: %s (host %.200r, origin %.200r)", refusal[0], headers.get("host"), headers.get("origin")
            )
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                answer = JSONResponse({"message": refusal[0], "hint": refusal[1]}, 403)
                await answer(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                if out.get("content-type", "").startswith("text/html"):
                    # In a frame of a stranger's, a person would press our buttons unawares.
                    out["content-security-policy"] = _NO_FRAME
            await send(message)

        await self._app(self._as_called(scope), receive, sending)

    def _as_called(self, scope: Scope) -> Scope:
        """The scope under the server's own scheme and name, whatever ``X-Forwarded-…`` says.

        Streamlit compares the two headers letter by letter, and asks elsewhere where they differ.
        """
        headers = MutableHeaders(raw=list(scope["headers"]))
        said = headers.get("origin")
        origin = (said and Origin.parse(said)) or self._door.called(headers["host"], scope["server"][1])
        assert origin is not None  # It was let in under it.
        if said:
            headers["host"] = said.partition("://")[2]
        secure = origin.scheme == "https"
        scheme = {"http": "https", "websocket": "wss"} if secure else {"http": "http", "websocket": "ws"}
        return {**scope, "scheme": scheme[scope["type"]], "headers": headers.raw}


def _foreign() -> tuple[str, str]:
    return "this call comes from another site", "open the dashboard itself"
