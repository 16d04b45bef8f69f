"""What an engine is given, what it gives back, and how it is configured.

An engine pulls requests lazily from an iterator, keeps a bounded number of them in flight, and
yields completions as they finish, in any order. It never sees a label: requests carry the messages
and the media of one shown pair and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, field_validator

from backend.domain.pairs import MediaKind
from backend.domain.prompts import Message
from backend.engines.addresses import refuse_credentials
from backend.media.held import Held
from backend.media.sizes import MAX_PIXELS
from backend.media.video import VideoFrames

Medium = Image.Image | VideoFrames
"""A decoded medium: an RGB image, or frames with their timing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One completion to be made.

    Attributes:
        id: The caller's own, given back with the completion.
        messages: From ``domain.prompts.judge_messages``; their media parts name a side.
        media: The decoded medium of each side, in shown order; an engine lets go of them as soon as it
            has made its inputs of them, see :meth:`let_go`.
        paths: Where each medium was read from, for engines that send files. Absolute.
        seed: Of this one completion; ``None`` leaves it to the engine.
    """

    id: int
    kind: MediaKind
    messages: tuple[Message, ...]
    media: Mapping[str, Medium]
    paths: Mapping[Literal["first", "second"], str] = field(default_factory=dict)
    seed: int | None = None

    def let_go(self, *, instead: int = 0) -> None:
        """The engine needs :attr:`media` no longer: the next ones may be decoded.

        Must not wait for further requests: these may be waiting for the memory.

        Args:
            instead: Bytes that it made of them and keeps until the request is answered.
        """
        if isinstance(self.media, Held):
            self.media.let_go(instead=instead)

    def taken(self) -> Request:
        """The same request with its media as the engine's own, no longer counted as decoded ahead.

        For engines that collect several requests before they make inputs of any.
        """
        taken = replace(self, media=dict(self.media))
        self.let_go()
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the judge wrote for one request.

    Attributes:
        finish_reason: ``stop``, ``length`` (cut off at the token limit), or the engine's own word.
        nats: Mean loss of its tokens, the negative logarithm of the probability that the judge gave each
            before any temperature; ``None`` where the engine does not tell.
    """

    id: int
    text: str
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    nats: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A request that could not be answered; the run goes on without it."""

    id: int
    error: str
    hint: str | None = None


Outcome = Completion | Failure


class EngineOptions(BaseModel):
    """Every option of every engine; an engine reads those it knows. Names are vLLM's and Hugging
    Face's own. Frozen with the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int = Field(8, ge=1, description="Requests in flight")
    max_new_tokens: int = Field(2048, ge=1, description="Token limit of one completion")
    temperature: float = Field(0.0, ge=0, le=2, description="0 is greedy; vLLM takes up to 2")
    top_p: float = Field(1.0, gt=0, le=1, description="Draw from the likeliest words alone")
    repetition_penalty: float = Field(1.0, gt=0, le=2, description="1 is none")
    video_fps: float = Field(2.0, gt=0, description="Frames a second given to the judge")
    # Runs of older versions have none, and were shown what the model's processor let through.
    max_pixels: int | None = Field(
        MAX_PIXELS, ge=784, description="Upper bound on pixels of an image or of a video's frame"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = Field("auto", description="auto, cpu, or cuda devices such as cuda:0,1")
    trust_remote_code: bool = Field(False, description="Run code that the model brings along")
    max_model_len: int | None = Field(None, ge=1, description="Context length, tokens")
    tensor_parallel_size: int = Field(1, ge=1, description="GPUs one replica is spread over")
    gpu_memory_utilization: float = Field(
        0.9, gt=0, le=1, description="Share of GPU memory that vLLM may take"
    )
    enforce_eager: bool = Field(False, description="vLLM without CUDA graphs")
    endpoints: tuple[str, ...] = Field((), description="OpenAI-compatible base URLs")
    api_key_env: str = Field(
        "OPENAI_API_KEY", description="Name of the variable with the endpoints' API key"
    )
    request_timeout_s: float = Field(
        600.0, gt=0, le=86_400, description="Seconds in which an endpoint is to answer a request"
    )
    scripted_file: str | None = Field(None, description="Texts that the scripted engine replays")
    scripted_latency: float = Field(0.0, ge=0, description="Seconds each scripted answer takes")

    @field_validator("endpoints")
    @classmethod
    def _without_credentials(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """They are stored with the run. A UsageError, with its hint, passes pydantic as it is."""
        for url in value:
            refuse_credentials(url)
        return value


class Pulse:
    """An engine's signs of life, finer than its outcomes: tokens, steps, answers of any kind."""

    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        """The engine has got on with something. Called from any thread, often."""
        self.beats += 1


class Engine(Protocol):
    """A loaded judge."""

    pulse: Pulse

    def generate(self, requests: Iterator[Request]) -> Iterator[Outcome]:
        """Answer every request, yielding as each finishes, in any order.

        Pulls lazily: at most ``batch_size`` requests are taken before an outcome is given back
        for one of them. One request that fails gives a :class:`Failure`. The media of each are let go
        of (:meth:`Request.let_go`) before the next outcome or request is waited for.

        Raises:
            EngineError: The engine as a whole can go on no longer.
        """
        ...

    def close(self) -> None:
        """Give back devices, threads and processes. May be called twice."""
        ...
