"""Asking a server that may misbehave: its answer is bounded in bytes, and nothing is followed.

httpx bounds the time between two bytes, not that of an answer: whoever asks sets a deadline around it.
A redirect is not followed, because it would carry the API key and the media to whoever it names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import httpx

from backend.domain.foreign import quoted
from backend.engines.addresses import refuse_credentials, shown_url
from backend.engines.base import EngineOptions
from backend.errors import EngineError, UsageError
from backend.hints import Hint

_CONNECT_S = 10.0
_OURSELVES = ("all://localhost", "all://127.0.0.1", "all://[::1]")
"""A proxy has no business between us and this machine."""
_EXAMPLE = "http://localhost:8000/v1"
_SCHEMES = ("basic ", "bearer ")
_USUAL_KEY = EngineOptions.model_fields["api_key_env"].default


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answered.

    Attributes:
        body: As it was sent, no longer than was allowed.
        cut: It was longer.
        encoding: In which it was sent in spite of what was asked; it was not read then.
    """

    status: int
    reason: str
    headers: httpx.Headers
    body: bytes
    cut: bool
    encoding: str | None


def open_client(options: EngineOptions) -> httpx.AsyncClient:
    """A client that bears the endpoints' key.

    Raises:
        UsageError: The key holds characters that cannot be sent.
    """
    key = api_key(options)
    _check_letters(key, options)
    headers = {"Accept-Encoding": "identity"}  # a compressed answer may be a thousand times its size
    if key is not None:
        headers["Authorization"] = key if key.lower().startswith(_SCHEMES) else f"Bearer {key}"
    return httpx.AsyncClient(
        headers=headers,
        timeout=httpx.Timeout(None, connect=_CONNECT_S),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        mounts=dict.fromkeys(_OURSELVES),
        follow_redirects=False,
    )


async def ask(client: httpx.AsyncClient, url: str, *, limit: int, body: bytes | None = None) -> Reply:
    """POST ``body``, which is JSON, or GET; reads no more than ``limit`` bytes of the answer.

    Raises:
        httpx.HTTPError: Nobody is there, the connection broke, or it is no HTTP.
    """
    method, headers = "GET", {}
    if body is not None:
        method, headers = "POST", {"Content-Type": "application/json"}
    async with client.stream(method, url, content=body, headers=headers) as response:
        coding = response.headers.get("content-encoding", "").strip().lower()
        encoded = coding not in ("", "identity")
        parts: list[bytes] = []
        size = 0
        if not encoded:
            async for part in response.aiter_raw():
                parts.append(part[: limit - size])
                size += len(part)
                if size > limit:
                    break
        return Reply(
            status=response.status_code,
            reason=quoted(response.reason_phrase),
            headers=response.headers,
            body=b"".join(parts),
            cut=size > limit,
            encoding=quoted(coding) if encoded else None,
        )


def refuse_redirect(url: str, reply: Reply) -> None:
    """Say where a server points to, which is not where we go.

    Raises:
        EngineError: It redirects.
    """
    if reply.status // 100 == 3:
        to = shown_url(reply.headers.get("location", "")) or "nowhere"
        raise EngineError(
            f"{url} redirects to {to}; redirects are not followed",
            hint="if that address is yours, give it as the endpoint",
        )


def base_url(url: str) -> str:
    """An endpoint's URL without a slash at its end; a bare host gets the usual ``/v1``.

    Raises:
        UsageError: It is no http or https URL, or holds credentials or a query.
    """
    refuse_credentials(url)
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise UsageError(f"{quoted(url)}: is no URL", hint=_EXAMPLE) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(f"{quoted(url)}: is no http URL", hint=_EXAMPLE)
    plain = str(parsed).rstrip("/")
    return plain if parsed.path.strip("/") else f"{plain}/v1"


def api_key(options: EngineOptions) -> str | None:
    """The endpoints' key in this process's environment; ``None`` where there is none."""
    return (os.environ.get(options.api_key_env) or "").strip() or None


def check_api_key(options: EngineOptions) -> None:
    """Refuse a run whose key is missing here, before it is queued.

    Raises:
        UsageError: A variable is named and not set, or its value cannot be sent.
    """
    key = api_key(options)
    if key is None and options.api_key_env != _USUAL_KEY:
        name = quoted(options.api_key_env)
        raise UsageError(
            f"{name}, which is to hold the endpoints' API key, is not set",
            hint=Hint("export {name}, or leave {api_key_env} out where no key is needed", name=name),
        )
    _check_letters(key, options)


def _check_letters(key: str | None, options: EngineOptions) -> None:
    if key is not None and not (key.isascii() and key.isprintable()):
        raise UsageError(f"the API key in {quoted(options.api_key_env)} holds characters that cannot be sent")
