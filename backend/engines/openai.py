"""Any number of OpenAI-compatible endpoints, such as ``vllm serve``, as one engine.

Media are sent inside the request as they were decoded: images as JPEG data URLs, videos as vLLM's
sequence of JPEG frames. The servers decode nothing and need no access to the files.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from PIL import Image

from backend.domain.pairs import MediaKind
from backend.domain.prompts import TextPart
from backend.engines.base import Completion, EngineOptions, Failure, Medium, Outcome, Request
from backend.engines.chat import one_line
from backend.engines.endpoints import EndpointPool
from backend.engines.streaming import AsyncEngine
from backend.errors import EngineError, UsageError
from backend.media.video import FRAME_FACTOR, MAX_FRAMES, VideoFrames

ATTEMPTS = 6
"""Tries of one request at endpoints that could be reached."""

JPEG_QUALITY = 95
_JSON = {"Content-Type": "application/json"}
_LONGEST_PAUSE = 60.0
_ASK_S = 5.0
_OURSELVES = ("all://localhost", "all://127.0.0.1", "all://[::1]")
"""A proxy has no business between us and this machine."""
_TIMEOUT = httpx.Timeout(600.0, connect=10.0, pool=None)
_TRANSIENT = frozenset({408, 409, 425, 429})
_NEEDED_FOR_VIDEO = "trust-request-mm-kwargs"
_VIDEO_HINT = f"start `vllm serve` with --{_NEEDED_FOR_VIDEO}, then resume the run"
_REFUSED = {
    401: "the API key is missing or wrong; set the variable that api_key_env names",
    403: "this API key may not use the model",
    404: "the URL is wrong (it should end in /v1), or the server has no model of this name",
}


class OpenAIEngine(AsyncEngine):
    """Chat completions of ``model`` from the endpoints in ``options``.

    Args:
        model: The name under which the servers offer the judge.
        pool_options: Pauses of :class:`~backend.engines.endpoints.EndpointPool`.
        backoff: Seconds before the first retry; doubles each time, with jitter.

    Raises:
        UsageError: There is no endpoint, or one is no http(s) URL.
    """

    def __init__(
        self,
        model: str,
        options: EngineOptions,
        *,
        backoff: float = 0.5,
        pool_options: dict[str, float] | None = None,
    ) -> None:
        self._model = model
        self._backoff = backoff
        self._urls = tuple(base_url(url) for url in options.endpoints)
        if not self._urls:
            raise UsageError("the openai engine needs an endpoint", hint="http://localhost:8000/v1")
        self._pool_options: dict[str, Any] = dict(pool_options or {})
        super().__init__(options)

    async def start(self) -> None:
        self._client = httpx.AsyncClient(
            headers=_headers(self.options),
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            mounts=dict.fromkeys(_OURSELVES),
        )
        self._pool = EndpointPool(self._urls, self.options.batch_size, **self._pool_options)

    async def stop(self) -> None:
        await self._client.aclose()

    async def answer(self, request: Request) -> Outcome:
        body = await asyncio.to_thread(chat_body, self._model, request, self.options)
        problem = ""
        attempt = 0
        while attempt < ATTEMPTS:
            pause = 0.0
            async with self._pool.lend() as endpoint:
                try:
                    response = await self._client.post(
                        f"{endpoint.url}/chat/completions", content=body, headers=_JSON
                    )
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    # Nobody was there, so this says nothing about the request: it is not counted.
                    self._pool.unreachable(endpoint)
                    continue
                except httpx.TransportError as error:
                    self._pool.unreachable(endpoint)
                    problem = f"{endpoint.url}: {one_line(error)}"
                    attempt += 1
                else:
                    status = response.status_code
                    if status < 400:
                        self._pool.heard(endpoint)
                        return completion(request.id, response)
                    problem = f"{endpoint.url}: {status} {_said(response)}"
                    if status >= 500:
                        self._pool.server_error(endpoint)
                    elif status in _TRANSIENT:
                        self._pool.heard(endpoint)
                    elif status in _REFUSED:
                        raise EngineError(problem, hint=_REFUSED[status])
                    elif _NEEDED_FOR_VIDEO in problem:
                        # Each video would be refused; without these it would be mistimed.
                        raise EngineError(
                            f"{endpoint.url} takes no timing of videos", hint=_VIDEO_HINT
                        )
                    else:
                        self._pool.heard(endpoint)
                        return Failure(id=request.id, error=problem)
                    asked = retry_after(response)
                    if asked is not None:
                        self._pool.rest(endpoint, asked)
                    attempt += 1
                    pause = self._backoff * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.5)
            # Outside of the loan: a request that waits takes no place from one that could go.
            await asyncio.sleep(min(pause, _LONGEST_PAUSE))
        return Failure(
            id=request.id, error=problem, hint=f"gave up after {ATTEMPTS} tries; retry it later"
        )


def base_url(url: str) -> str:
    """An endpoint's URL without a slash at its end; a bare host gets the usual ``/v1``.

    Raises:
        UsageError: It is no http or https URL.
    """
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise UsageError(f"{url}: is no URL", hint="http://localhost:8000/v1") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(f"{url}: is no http URL", hint="http://localhost:8000/v1")
    plain = str(parsed).rstrip("/")
    return plain if parsed.path.strip("/") else f"{plain}/v1"


def served_models(url: str, options: EngineOptions) -> list[str] | None:
    """Names of the models that an endpoint offers; ``None`` while no server is there, or it loads.

    Raises:
        EngineError: The server refuses to say.
    """
    at = f"{base_url(url)}/models"
    try:
        with httpx.Client(
            headers=_headers(options), timeout=_ASK_S, mounts=dict.fromkeys(_OURSELVES)
        ) as client:
            response = client.get(at)
    except httpx.TransportError:
        return None
    if response.status_code >= 500:
        return None
    if response.status_code >= 400:
        raise EngineError(
            f"{at}: {response.status_code} {_said(response)}",
            hint=_REFUSED.get(response.status_code),
        )
    try:
        return [str(model["id"]) for model in response.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return []


def check_served(model: str, options: EngineOptions) -> None:
    """Refuse endpoints that do not offer a model: many answer with what they have, whatever is asked.

    Raises:
        EngineError: One offers others, or nobody is there.
    """
    for url in options.endpoints:
        models = served_models(url, options)
        if models is None:
            raise EngineError(f"nobody answers at {url}", hint=f"such as `vllm serve {model}`")
        if model not in models:
            raise EngineError(
                f"the server at {url} offers {', '.join(models[:5]) or 'no model'}, not {model}",
                hint="have it offer the judge under the name of its folder (--served-model-name)",
            )


def _headers(options: EngineOptions) -> dict[str, str]:
    key = os.environ.get(options.api_key_env)
    return {"Authorization": f"Bearer {key}"} if key else {}


def chat_body(model: str, request: Request, options: EngineOptions) -> bytes:
    """The bytes of :func:`chat_payload`; they take the place of the request's media in memory."""
    body = json.dumps(chat_payload(model, request, options), separators=(",", ":")).encode()
    request.let_go(instead=len(body))
    return body


def chat_payload(model: str, request: Request, options: EngineOptions) -> dict[str, Any]:
    """The body of one chat completion, media included."""
    messages: list[dict[str, Any]] = []
    for message in request.messages:
        if all(isinstance(part, TextPart) for part in message.parts):
            content: Any = "".join(p.text for p in message.parts if isinstance(p, TextPart))
        else:
            content = [
                {"type": "text", "text": part.text}
                if isinstance(part, TextPart)
                else media_part(request.media[part.side])
                for part in message.parts
            ]
        messages.append({"role": message.role, "content": content})
    payload: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_tokens": options.max_new_tokens,
    }
    if options.repetition_penalty != 1:
        # Not of the protocol, but vLLM's; servers that do not know it say so.
        payload["repetition_penalty"] = options.repetition_penalty
    if request.seed is not None:
        payload["seed"] = request.seed
    if request.kind is MediaKind.VIDEO:
        clips = [clip for clip in request.media.values() if isinstance(clip, VideoFrames)]
        # One value for both videos is all that the protocol has. Without num_frames vLLM would
        # keep the first 32 frames; without fps it would take them for one a second.
        fps = min(sampled_fps(clip, options.video_fps) for clip in clips)
        payload["media_io_kwargs"] = {"video": {"num_frames": -1, "fps": fps}}
        payload["mm_processor_kwargs"] = {"fps": fps, "do_sample_frames": False}
    return payload


def sampled_fps(clip: VideoFrames, fps: float) -> float:
    """The rate at which the clip's frames follow one another, frames a second.

    It is ``fps`` but for clips that are too short or too long for it (see
    :func:`backend.media.video.sample_indices`).
    """
    count = len(clip.indices)
    bounded = count >= MAX_FRAMES or clip.duration * fps < FRAME_FACTOR
    return count / clip.duration if bounded and clip.duration > 0 else fps


def media_part(medium: Medium) -> dict[str, Any]:
    """One image or video as a content part with its data inside."""
    if isinstance(medium, VideoFrames):
        frames = ",".join(_jpeg(Image.fromarray(frame)) for frame in medium.frames)
        return {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{frames}"}}
    return {
        "type": "image_url",
        "image_url": {"url": f"data:image/jpeg;base64,{_jpeg(medium.convert('RGB'))}"},
    }


def _jpeg(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def completion(identity: int, response: httpx.Response) -> Outcome:
    """What a server's answer says; a :class:`Failure` when it is not a chat completion."""
    try:
        body = response.json()
        choice = body["choices"][0]
        message = choice["message"]
        text = message.get("content") or ""
        # Servers with a reasoning parser take <think>…</think> out of the text.
        reasoning = message.get("reasoning") or message.get("reasoning_content")
        usage = body.get("usage") or {}
        finish = choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        return Failure(id=identity, error=f"not a chat completion ({one_line(error)})")
    if reasoning:
        text = f"<think>\n{reasoning.strip()}\n</think>\n{text.lstrip()}"
    return Completion(
        id=identity,
        text=text,
        finish_reason=finish,
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
    )


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a number or a date; at most a minute."""
    value = response.headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(0.0, seconds), _LONGEST_PAUSE)


def _said(response: httpx.Response) -> str:
    try:
        body = response.json()
        error = body.get("error", body)
        text = error.get("message") if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        text = response.text
    return " ".join(str(text or response.reason_phrase).split())[:300]
