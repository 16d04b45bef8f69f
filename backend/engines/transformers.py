"""The embedded engine: transformers' ``generate`` in batches, on a CPU or one GPU.

It takes Qwen2-VL, Qwen2.5-VL and Qwen3-VL, and whatever else speaks their processor's interface.
A batch is as long as its longest answer; vLLM has no such tail and is the engine for large runs.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from backend.domain.devices import STANDS_FOR
from backend.engines.base import Completion, EngineKind, EngineOptions, Failure, Outcome, Pulse, Request
from backend.engines.chat import one_line
from backend.engines.installed import missing
from backend.engines.processing import prompt_inputs
from backend.errors import EngineError, EngineUnavailable
from backend.foreign_text import brief
from backend.hints import Hint

log = logging.getLogger(__name__)


class TransformersEngine:
    """A judge loaded by transformers.

    Raises:
        EngineUnavailable: torch or transformers is not installed, or the device is not there.
        EngineError: The folder is no model, or one that transformers does not know.
    """

    def __init__(self, model: str, options: EngineOptions) -> None:
        try:
            import torch
            from transformers import AutoModelForImageTextToText, AutoProcessor
        except ImportError as error:
            raise EngineUnavailable(
                f"the transformers engine cannot be imported ({brief(error)})", hint="pip install '.[transformers]'"
            ) from error
        self._torch = torch
        self._options = options
        self.pulse = Pulse()
        self._device = _device(torch, options.device)
        dtype = getattr(torch, options.dtype, None) if options.dtype != "auto" else None
        if dtype is None:
            dtype = torch.float32 if self._device == "cpu" else "auto"
        local = Path(model).is_dir()
        common = {"trust_remote_code": options.trust_remote_code, "local_files_only": local}
        try:
            self._processor: Any = AutoProcessor.from_pretrained(model, **common)
            self._model: Any = AutoModelForImageTextToText.from_pretrained(model, dtype=dtype, **common)
            self._model.to(self._device).eval()
            self._model.generation_config = _plain_generation(self._model.generation_config, self._processor.tokenizer)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise EngineError(
                f"{model}: cannot be loaded ({one_line(error)})",
                hint="give a folder of a Qwen2-VL, Qwen2.5-VL or Qwen3-VL model",
            ) from error
        log.info("loaded %s on %s as %s", model, self._device, self._model.dtype)

    def generate(self, requests: Iterator[Request]) -> Iterator[Outcome]:
        """Answer in batches of ``batch_size``; see :class:`backend.engines.base.Engine`.

        With a temperature, completions are drawn from the seeds of their batch together, so they
        are the same again only for the same batches.
        """
        taken = (request.taken() for request in requests)
        while batch := list(islice(taken, self._options.batch_size)):
            by_kind = sorted(batch, key=lambda request: request.kind)
            for _, group in groupby(by_kind, key=lambda request: request.kind):
                yield from self._answer(list(group))

    def losses(self, request: Request, text: str) -> list[tuple[str, float]]:
        """What each token of ``text`` costs this judge as its answer to ``request``.

        The prompt goes in with the inputs that :meth:`generate` gives the model, and the answer's
        tokens behind it, as generated ones stand there.

        Returns:
            Each token as the tokenizer spells it, and its loss in nats (the negative natural logarithm
            of its probability). The last one is the end of the turn.
        """
        torch, tokenizer = self._torch, self._processor.tokenizer
        inputs = self._inputs([request])
        ids = [*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        answer = torch.tensor([ids], device=self._device)
        shape = inputs["input_ids"].shape
        for name, value in inputs.items():
            if name == "input_ids":
                inputs[name] = torch.cat([value, answer], dim=1)
            elif value.shape == shape:
                # Attended to like the prompt, and of no medium.
                fill = torch.ones_like if name == "attention_mask" else torch.zeros_like
                inputs[name] = torch.cat([value, fill(answer)], dim=1)
        with torch.inference_mode():
            logits = self._model(**inputs, use_cache=False).logits[0, -len(ids) - 1 : -1]
        nats = torch.nn.functional.cross_entropy(logits.float(), answer[0], reduction="none")
        return list(zip(tokenizer.convert_ids_to_tokens(ids), nats.tolist(), strict=True))

    def close(self) -> None:
        """Give the device's memory back."""
        self._model = None
        if self._device != "cpu":
            self._torch.cuda.empty_cache()

    def _answer(self, requests: list[Request]) -> Iterator[Outcome]:
        try:
            outcomes: list[Outcome] = list(self._batch(requests))
        except self._torch.OutOfMemoryError as error:
            raise EngineError(
                f"out of memory with {len(requests)} requests at once",
                hint=Hint("lower {batch_size}, {max_pixels} or {video_fps}"),
            ) from error
        except Exception as error:  # noqa: BLE001 - one bad request must not take the others along
            if len(requests) == 1:
                hint = getattr(error, "hint", None)
                yield Failure(id=requests[0].id, error=one_line(error), hint=hint)
                return
            log.warning("a batch failed (%s); trying its requests one by one", one_line(error))
            for request in requests:
                yield from self._answer([request])
            return
        yield from outcomes

    def _inputs(self, requests: list[Request]) -> Any:
        inputs = prompt_inputs(self._processor, requests).to(self._device)
        for name, value in inputs.items():
            if self._torch.is_tensor(value) and value.is_floating_point() and "pixel" in name:
                inputs[name] = value.to(self._model.dtype)
        return inputs

    def _batch(self, requests: list[Request]) -> Iterator[Completion]:
        torch, options = self._torch, self._options
        inputs = self._inputs(requests)
        sampling: dict[str, Any] = {"do_sample": False}
        if options.repetition_penalty != 1:
            sampling["repetition_penalty"] = options.repetition_penalty
        if options.temperature > 0:
            sampling |= {"do_sample": True, "temperature": options.temperature, "top_p": options.top_p, "top_k": 0}
            torch.manual_seed(_batch_seed(requests))
        costs = _Costs(torch, self.pulse)
        with torch.inference_mode():
            output = self._model.generate(
                **inputs, max_new_tokens=options.max_new_tokens, logits_processor=[costs], **sampling
            )
        nats = costs.of(output)
        written = output[:, inputs["input_ids"].shape[1] :]
        texts = self._processor.batch_decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        ends = self._model.generation_config.eos_token_id
        ends = set(ends) if isinstance(ends, list) else {ends} - {None}
        prompts = inputs["attention_mask"].sum(dim=1).tolist()
        for request, text, tokens, prompt, cost in zip(requests, texts, written.tolist(), prompts, nats, strict=True):
            end = next((place for place, token in enumerate(tokens) if token in ends), None)
            yield Completion(
                id=request.id,
                text=text,
                finish_reason="length" if end is None else "stop",
                prompt_tokens=int(prompt),
                completion_tokens=len(tokens) if end is None else end,
                nats=float(cost[: len(tokens) if end is None else end + 1].mean()),
            )


class _Costs:
    """Notes what each token costs while ``generate`` draws it; called as one of its logits processors,
    which stand before temperature and the like."""

    def __init__(self, torch: Any, pulse: Pulse) -> None:
        self._torch, self._pulse = torch, pulse
        self._next: Any = None
        self._nats: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        self._pulse.beat()
        self._take(input_ids)
        self._next = self._torch.log_softmax(scores.float(), dim=-1)
        return scores

    def of(self, output: Any) -> Any:
        """``[B, T]`` nats of the tokens that were written, the last one included."""
        self._take(output)
        return self._torch.cat(self._nats, dim=1).cpu()

    def _take(self, ids: Any) -> None:
        if self._next is not None:
            self._nats.append(-self._next.gather(1, ids[:, -1:]))
            self._next = None


def _plain_generation(own: Any, tokenizer: Any) -> Any:
    """The checkpoint's special tokens without its sampling: greedy is to mean greedy, and answers
    are compared with one another. A Qwen-VL checkpoint brings a repetition penalty, for instance."""
    from transformers import GenerationConfig

    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    tokens = {name: getattr(own, name, None) for name in names}
    return GenerationConfig(
        **{name: getattr(tokenizer, name, None) if token is None else token for name, token in tokens.items()}
    )


def _device(torch: Any, wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted != "cpu" and not torch.cuda.is_available():
        raise EngineUnavailable(f"there is no device {wanted}", hint=Hint("{device:cpu}"))
    if os.environ.get(STANDS_FOR) == wanted:
        # This process is shown the named GPUs alone, and torch counts them from 0.
        return "cuda:0"
    return wanted.split(",", 1)[0]


def _batch_seed(requests: list[Request]) -> int:
    text = ":".join(str(request.seed) for request in requests)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def _lacks() -> str | None:
    lacking = missing("torch", "torchvision", "transformers")
    return f"lacks {', '.join(lacking)}: pip install '.[transformers]'" if lacking else None


def _suits(options: EngineOptions) -> str | None:
    if missing("vllm"):
        why = "vLLM is not installed"
    else:
        why = "the device is to be the CPU" if options.device == "cpu" else "no GPU was found"
    return f"transformers is installed; {why}"


TRANSFORMERS = EngineKind(
    name="transformers",
    label="CPU or one GPU",
    purpose="runs the model on the CPU or on one GPU, in batches",
    load=TransformersEngine,
    lacks=_lacks,
    suits=_suits,
    loads_model=True,
)
