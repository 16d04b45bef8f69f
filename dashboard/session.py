"""Browser sessions: a cookie that media links and calls of our own routes are bound to.

The cookie is set beside Streamlit's page and cannot be read by scripts in it. A link that leaves the
browser (in a message, say) therefore opens nothing elsewhere.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from backend.domain.people import Person, Role
from backend.errors import Forbidden, WinnowError
from dashboard.signing import signer, verified
from dashboard.space import shared

log = logging.getLogger(__name__)

COOKIE = "winnow_session"
_ID = re.compile(r"[0-9a-f]{32}")
_YEAR_S = 365 * 24 * 3600
_TOKEN_S = 24 * 3600
_LONGEST_LINK = 4_000


class SessionMiddleware:
    """Gives every page view a session. Behind the door (:mod:`dashboard.origins`), which it trusts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cookies = Headers(scope=scope).get("cookie", "")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                if _login_changes(out):
                    # Whoever logs in or out leaves behind what their browser was given before.
                    wanted = await run_in_threadpool(_end, cookies)
                    if wanted and scope["path"].endswith("/oauth2callback"):
                        out["location"] = out.get("location", "/") + wanted
                    out.append("set-cookie", _cookie(secrets.token_hex(16), scope))
                elif out.get("content-type", "").startswith("text/html") and (
                    not await run_in_threadpool(_has_session, cookies)
                ):
                    out.append("set-cookie", _cookie(secrets.token_hex(16), scope))
            await send(message)

        await self._app(scope, receive, sending)


def _cookie(session: str, scope: Scope) -> str:
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    # Lax, not Strict: who comes from a login page or from a link in a message is the same browser.
    # A call of ours needs its token besides, and a foreign page cannot send the cookie with one.
    return f"{COOKIE}={session}; Path=/; Max-Age={_YEAR_S}; HttpOnly; SameSite=Lax{secure}"


def _login_changes(headers: MutableHeaders) -> bool:
    return any(value.startswith(f"{USER_COOKIE_NAME}=") for value in headers.getlist("set-cookie"))


def _has_session(cookies: str) -> bool:
    try:
        return session_in(cookies) is not None
    except WinnowError:
        return True  # The page says what is wrong with the workspace; a session may yet be good.


def _end(cookies: str) -> str:
    """End the session in a ``Cookie`` header; the page its browser was on the way to."""
    try:
        if session := session_in(cookies):
            kept = shared().people
            wanted = kept.settings(f"session:{session}").get("wanted", "")
            kept.keep(f"session:{session}", ended=True)
            return str(wanted)
    except WinnowError as error:
        # The browser still gets another session; a copy of the old one lives until its links end.
        log.error("a session could not be ended: %s", error)
    return ""


def come_back_to(page: str, query: Mapping[str, str]) -> None:
    """Have the next login of this browser end on one of our pages, where its link led."""
    wanted = f"{page}?{urlencode(query)}" if query else page
    if shared().read_only:
        return
    if (session := session_id()) and len(wanted) <= _LONGEST_LINK:
        shared().people.keep(f"session:{session}", wanted=wanted)


def ended(session: str) -> bool:
    """Whether somebody has logged in or out in this session's browser since it began."""
    return bool(shared().people.settings(f"session:{session}").get("ended"))


def session_in(cookies: str) -> str | None:
    """The session id in a ``Cookie`` header, unless the session has ended."""
    try:
        jar = SimpleCookie(cookies)
    except CookieError:
        return None
    found = jar.get(COOKIE)
    if found is None or not _ID.fullmatch(found.value) or ended(found.value):
        return None
    return found.value


def session_id() -> str | None:
    """The session of the browser that this script runs for; ``None`` outside a server."""
    value = st.context.cookies.get(COOKIE)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def api_token(who: Person) -> str:
    """What a component sends as ``Authorization: Bearer``; good for a day, for them and in this browser only."""
    claims = [session_id() or "", who.name, who.role.value, int(time.time()) + _TOKEN_S]
    return str(signer(shared().folder, "api").dumps(claims))


def workspace_mark() -> str:
    """Tells this workspace from others that were served under the same address."""
    return str(signer(shared().folder, "mark").dumps(0)).rsplit(".", 1)[-1]


def person_of(request: Request) -> Person:
    """Who calls a route.

    Raises:
        Forbidden: The call comes from another site, another browser, or too late.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site != "same-origin":
        raise Forbidden("this call comes from another site")
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind != "Bearer":
        raise Forbidden("this call carries no token", hint="reload the page")
    session, name, role, expires = verified(shared().folder, "api", token)
    if session != (session_in(request.headers.get("cookie", "")) or ""):
        raise Forbidden("this call comes from another browser", hint="reload the page")
    if expires < time.time():
        raise Forbidden("the page was open for too long", hint="reload it; nothing is lost")
    return shared().here(Person(name, Role(role)))
