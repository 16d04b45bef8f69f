"""Any number of OpenAI-compatible endpoints, such as ``vllm serve``, as one engine.

Media are sent inside the request as they were decoded: images as JPEG data URLs, videos as vLLM's
sequence of JPEG frames. The servers decode nothing and need no access to the files.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from PIL import Image

from backend.domain.foreign import quoted
from backend.domain.pairs import MediaKind
from backend.domain.prompts import TextPart
from backend.engines.base import EngineKind, EngineOptions, Failure, Medium, Outcome, Request
from backend.engines.chat import one_line
from backend.engines.chat_answer import completion, error_words, model_names
from backend.engines.endpoints import Endpoint, EndpointPool
from backend.engines.servers import Reply, api_key, ask, base_url, check_api_key, open_client, refuse_redirect
from backend.engines.streaming import AsyncEngine
from backend.errors import EngineError, UsageError
from backend.hints import Hint
from backend.media.video import FRAME_FACTOR, MAX_FRAMES, VideoFrames

ATTEMPTS = 6
"""Tries of one request at endpoints that could be reached."""
TIMEOUTS = 2
"""Of these, how many may end at the deadline."""

MIB = 1 << 20

JPEG_QUALITY = 95
_EXAMPLE = "http://localhost:8000/v1"
_LONGEST_PAUSE = 60.0
_ASK_S = 5.0
_ERROR_BYTES = 1 << 16
_GATEWAY = frozenset({502, 503, 504})
"""What a proxy says for a server that does not answer it."""
_TRANSIENT = frozenset({408, 409, 425, 429})
_NEEDED_FOR_VIDEO = "trust-request-mm-kwargs"
_PLAIN_HINT = "have the server, or the proxy before it, heed Accept-Encoding: identity"
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
        probe_s: Seconds in which an endpoint that answers nothing is to give a sign of life.

    Raises:
        UsageError: There is no endpoint, one is no http(s) URL, or the key cannot be sent.
    """

    def __init__(
        self,
        model: str,
        options: EngineOptions,
        *,
        backoff: float = 0.5,
        probe_s: float = 10.0,
        pool_options: dict[str, float] | None = None,
    ) -> None:
        self._model = model
        self._backoff = backoff
        self._probe_s = probe_s
        self._key = api_key(options)
        self._urls = tuple(base_url(url) for url in options.endpoints)
        if not self._urls:
            raise UsageError("the openai engine needs an endpoint", hint=_EXAMPLE)
        self._pool_options: dict[str, Any] = dict(pool_options or {})
        super().__init__(options)

    async def start(self) -> None:
        self._client = open_client(self.options)
        self._pool = EndpointPool(self._urls, self.options.batch_size, **self._pool_options)
        self._watch = asyncio.create_task(self._pool.watch(self._lives))

    async def stop(self) -> None:
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)
        await self._client.aclose()

    async def answer(self, request: Request) -> Outcome:
        body = await asyncio.to_thread(chat_body, self._model, request, self.options)
        seconds = self.options.request_timeout_s
        problem = ""
        attempt = hangs = 0
        last: Endpoint | None = None
        while attempt < ATTEMPTS and hangs < ATTEMPTS:
            pause = 0.0
            try:
                async with self._pool.lend(seconds, rather_not=last) as endpoint:
                    last = endpoint
                    url = f"{endpoint.url}/chat/completions"
                    reply = await ask(self._client, url, limit=self._limit(), body=body)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                # Nobody was there, so this says nothing about the request: it is not counted.
                self._pool.unreachable(_lent(last))
                continue
            except httpx.HTTPError as error:
                self._pool.unreachable(_lent(last))
                problem = f"{_lent(last).url}: {quoted(one_line(error))}"
                attempt += 1
            except TimeoutError:
                # A server that has hung says nothing about the request either, unless each does that
                # is given this one.
                if _lent(last).hung:
                    hangs += 1
                    problem = f"{_lent(last).url}: accepts requests and does not answer"
                    continue
                self._pool.server_error(_lent(last))
                problem = f"{_lent(last).url}: no whole answer within {seconds:g} s"
                attempt += ATTEMPTS // TIMEOUTS
            else:
                outcome = self._read(request, endpoint, reply)
                if not isinstance(outcome, str):
                    return outcome
                problem = outcome
                attempt += 1
                pause = self._backoff * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.5)
            # Outside of the loan: a request that waits takes no place from one that could go.
            await asyncio.sleep(min(pause, _LONGEST_PAUSE))
        return Failure(id=request.id, error=problem, hint="gave up after several tries; resume the run")

    def _read(self, request: Request, endpoint: Endpoint, reply: Reply) -> Outcome | str:
        """What came of a try; a line on what went wrong where the request may be tried again.

        Raises:
            EngineError: Every request would meet the same.
        """
        status = reply.status
        self.pulse.beat()
        refuse_redirect(endpoint.url, reply)
        if status < 400:
            self._pool.heard(endpoint)
            if reply.encoding:
                said = f"answers in the encoding {reply.encoding}, which it was not asked for"
                return Failure(id=request.id, error=f"{endpoint.url}: {said}", hint=_PLAIN_HINT)
            if reply.cut:
                most = f"{self._limit() / MIB:.0f} MiB"
                return Failure(id=request.id, error=f"{endpoint.url}: the answer is over {most}")
            return completion(request.id, reply.body, key=self._key)
        words = error_words(reply.body[:_ERROR_BYTES], reply.reason, key=self._key)
        problem = f"{endpoint.url}: {status} {words}"
        if status >= 500:
            self._pool.server_error(endpoint)
        elif status in _TRANSIENT:
            self._pool.heard(endpoint)
        elif status in _REFUSED:
            raise EngineError(problem, hint=_REFUSED[status])
        elif _NEEDED_FOR_VIDEO.encode() in reply.body:
            # Each video would be refused; without these it would be mistimed.
            raise EngineError(f"{endpoint.url} takes no timing of videos", hint=_VIDEO_HINT)
        else:
            self._pool.heard(endpoint)
            return Failure(id=request.id, error=problem)
        asked = retry_after(reply.headers)
        if asked is not None:
            self._pool.rest(endpoint, asked)
        return problem

    def _limit(self) -> int:
        """Bytes of an answer: its text may stand in it twice, and each token be many escapes."""
        return min(16 * MIB, MIB + 1024 * self.options.max_new_tokens)

    async def _lives(self, endpoint: Endpoint) -> bool:
        """Whether it answers anything at all: it may be busy, but it is there."""
        try:
            async with asyncio.timeout(self._probe_s):
                reply = await ask(self._client, f"{endpoint.url}/models", limit=_ERROR_BYTES)
        except (httpx.HTTPError, TimeoutError):
            return False
        if reply.status in _GATEWAY:
            return False
        self.pulse.beat()
        return True


def _lent(endpoint: Endpoint | None) -> Endpoint:
    assert endpoint is not None
    return endpoint


def served_models(url: str, options: EngineOptions) -> list[str] | None:
    """Names of the models that an endpoint offers; ``None`` while no server is there, or it loads.

    Raises:
        EngineError: The server refuses to say.
    """
    # In a thread of its own: the caller's may have an event loop already.
    with ThreadPoolExecutor(1) as thread:
        asked = _served_models(f"{base_url(url)}/models", options)
        return thread.submit(asyncio.run, asked).result()


async def _served_models(at: str, options: EngineOptions) -> list[str] | None:
    try:
        async with asyncio.timeout(_ASK_S), open_client(options) as client:
            reply = await ask(client, at, limit=MIB)
    except (httpx.HTTPError, TimeoutError):
        return None
    refuse_redirect(at, reply)
    if reply.status >= 500:
        return None
    if reply.status >= 400:
        words = error_words(reply.body[:_ERROR_BYTES], reply.reason, key=api_key(options))
        raise EngineError(f"{at}: {reply.status} {words}", hint=_REFUSED.get(reply.status))
    return [] if reply.cut else model_names(reply.body)


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
            offered = ", ".join(quoted(name) for name in models[:5]) or "no model"
            raise EngineError(
                f"the server at {url} offers {offered}, not {model}",
                hint="have it offer the judge under the name of its folder (--served-model-name)",
            )


def chat_body(model: str, request: Request, options: EngineOptions) -> bytes:
    """The bytes of :func:`chat_payload`; they take the place of the request's media in memory."""
    body = json.dumps(chat_payload(model, request, options)).encode()
    # Twice: the transport has a copy of what the server has not read yet.
    request.let_go(instead=2 * len(body))
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
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{_jpeg(medium.convert('RGB'))}"}}


def _jpeg(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a number or a date; at most a minute."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(0.0, seconds), _LONGEST_PAUSE)


def _check(options: EngineOptions) -> None:
    if not options.endpoints:
        raise UsageError("engine openai needs an endpoint", hint=Hint("give {endpoints:http://localhost:8000/v1}"))
    for url in options.endpoints:
        base_url(url)
    check_api_key(options)


OPENAI = EngineKind(
    name="openai",
    label="servers",
    purpose="asks OpenAI-compatible servers, such as `vllm serve`; needs an endpoint",
    load=OpenAIEngine,
    suits=lambda options: "endpoints were given" if options.endpoints else None,
    check=_check,
    asks_servers=True,
)
