"""What an engine is given, what it gives back, and how it is configured.

An engine pulls requests lazily from an iterator, keeps a bounded number of them in flight, and
yields completions as they finish, in any order. It never sees a label: requests carry the messages
and the media of one shown pair and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from PIL import Image
from pydantic import BaseModel, ConfigDict, field_validator

from backend.domain.pairs import MediaKind
from backend.domain.prompts import Message
from backend.engines.addresses import refuse_credentials
from backend.hints import Hint
from backend.media.held import Held
from backend.media.sizes import MAX_PIXELS
from backend.media.video import VideoFrames
from backend.options import option

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
    hint: Hint | str | None = None


Outcome = Completion | Failure


class EngineOptions(BaseModel):
    """Every option of every engine; an engine reads those it knows. Names are vLLM's and Hugging
    Face's own. Frozen with the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_new_tokens: int = option(
        2048,
        "Token limit of one completion",
        group="Generation",
        ge=1,
        when="raise it when answers are cut off; lower it for speed",
    )
    temperature: float = option(
        0.0,
        "0 is greedy; vLLM takes up to 2",
        group="Generation",
        ge=0,
        le=2,
        step=0.1,
        when="above 0 when there are several samples",
    )
    top_p: float = option(
        1.0,
        "Draw from the likeliest words alone",
        group="Generation",
        gt=0,
        le=1,
        step=0.05,
        when="lower it to keep unlikely words out of the samples",
    )
    repetition_penalty: float = option(
        1.0,
        "1 is none",
        group="Generation",
        gt=0,
        le=2,
        step=0.05,
        when="slightly above 1 when the judge repeats itself",
    )
    video_fps: float = option(
        2.0,
        "Frames a second given to the judge",
        group="Media",
        gt=0,
        step=0.5,
        when="more frames for fast motion; each one costs tokens",
    )
    # Runs of older versions have none, and were shown what the model's processor let through.
    max_pixels: int | None = option(
        MAX_PIXELS,
        "Upper bound on pixels of an image or of a video's frame",
        group="Media",
        ge=784,
        when="lower it when memory runs out; a training has to show as many",
    )
    batch_size: int = option(
        8,
        "Requests in flight",
        group="Throughput and memory",
        ge=1,
        when="raise it until the device is busy; lower it when memory runs out",
    )
    max_model_len: int | None = option(
        None,
        "Context length, tokens",
        group="Throughput and memory",
        ge=1,
        when="a smaller context leaves more memory for the batch",
    )
    gpu_memory_utilization: float = option(
        0.9,
        "Share of GPU memory that vLLM may take",
        group="Throughput and memory",
        gt=0,
        le=1,
        step=0.05,
        when="lower it when something else needs the GPU",
    )
    enforce_eager: bool = option(
        False,
        "vLLM without CUDA graphs",
        group="Throughput and memory",
        when="starts faster and runs slower; for short runs",
    )
    device: str = option(
        "auto",
        "auto, cpu, or cuda devices such as cuda:0,1",
        group="Devices",
        when="`cpu`, or `cuda:0,1` to leave other GPUs alone",
    )
    tensor_parallel_size: int = option(
        1, "GPUs one replica is spread over", group="Devices", ge=1, when="when one GPU cannot hold the model"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", "Precision of the weights", group="Devices", when="float32 on CPUs that emulate bfloat16"
    )
    trust_remote_code: bool = option(
        False,
        "Run code that the model brings along",
        group="Devices",
        when="only for a model whose code you have read: it runs here",
    )
    endpoints: tuple[str, ...] = option(
        (),
        "OpenAI-compatible base URLs",
        group="Servers",
        flag="--endpoint",
        when="one base URL a line, for engine openai: `http://host:8000/v1`",
    )
    api_key_env: str = option(
        "OPENAI_API_KEY",
        "Name of the variable with the endpoints' API key",
        group="Servers",
        when="name of the variable that holds the key, not the key",
    )
    request_timeout_s: float = option(
        600.0,
        "Seconds in which an endpoint is to answer a request",
        group="Servers",
        gt=0,
        le=86_400,
        step=60,
        when="raise it for a server that takes long over one answer",
    )
    scripted_file: str | None = option(
        None,
        "Texts that the scripted engine replays",
        group="Replay",
        path=True,
        when="for engine scripted: the file of texts",
    )
    scripted_latency: float = option(
        0.0,
        "Seconds each scripted answer takes",
        group="Replay",
        ge=0,
        step=0.1,
        when="seconds a text takes, to see a run go",
    )

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


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """An engine as it is declared, in the file that holds it; it is loaded only for a run.

    Attributes:
        label: Behind its name where one is chosen.
        purpose: One sentence.
        load: Makes it ready to judge; this is where its packages are imported.
        lacks: What has to be installed here for it, as a hint; ``None`` where it can run.
        suits: Why it is the one to take where none was named; ``None`` where it is not. The first that
            says so is taken.
        check: Refuses options that it cannot run with.
        loads_model: It loads the model itself, into this machine's memory.
        claims_memory: It takes ``gpu_memory_utilization`` of a GPU's memory at once.
        asks_servers: The judge is behind endpoints, and is asked with their key.
        replays: It tells what was said elsewhere, and so nothing of a new judge.
    """

    name: str
    label: str
    purpose: str
    load: Callable[[str, EngineOptions], Engine]
    lacks: Callable[[], str | None] = lambda: None
    suits: Callable[[EngineOptions], str | None] = lambda _options: None
    check: Callable[[EngineOptions], None] = lambda _options: None
    loads_model: bool = False
    claims_memory: bool = False
    asks_servers: bool = False
    replays: bool = False
