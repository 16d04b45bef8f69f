"""What can be said of the vLLM engine where vLLM is not installed."""

from __future__ import annotations

from abc import ABC, abstractmethod

from engine_requests import clip, image

from backend.engines.base import EngineOptions, Pulse
from backend.engines.vllm import _steps, engine_arguments, vllm_medium


def test_every_option_reaches_vllm_under_its_own_name():
    options = EngineOptions(
        batch_size=300,
        tensor_parallel_size=2,
        gpu_memory_utilization=0.8,
        max_model_len=32_768,
        max_pixels=100_000,
        dtype="bfloat16",
        enforce_eager=True,
        trust_remote_code=True,
    )
    arguments = engine_arguments("org/judge", options, on_cpu=False)
    for name in (
        "tensor_parallel_size",
        "gpu_memory_utilization",
        "max_model_len",
        "dtype",
        "enforce_eager",
        "trust_remote_code",
    ):
        assert arguments[name] == getattr(options, name), name
    assert arguments["model"] == "org/judge"
    assert arguments["limit_mm_per_prompt"] == {"image": 2, "video": 2}
    assert arguments["mm_processor_kwargs"] == {"max_pixels": 100_000}
    # vLLM's defaults here would hold back what Winnow keeps in flight.
    assert arguments["max_num_seqs"] >= 300
    assert arguments["max_num_batched_tokens"] >= 32_768


def test_code_of_the_model_is_not_run_unless_asked_and_a_cpu_runs_eagerly():
    arguments = engine_arguments("org/judge", EngineOptions(), on_cpu=True)
    assert arguments["trust_remote_code"] is False
    assert (arguments["enforce_eager"], arguments["dtype"]) == (True, "float32")


def test_a_video_keeps_its_timing():
    frames, metadata = vllm_medium(clip(4, fps=2.0))
    assert frames.shape == (4, 84, 84, 3)
    assert metadata["fps"] == 8.0
    assert metadata["frames_indices"] == [0, 4, 8, 12]
    assert metadata["total_num_frames"] == 16
    assert metadata["do_sample_frames"] is False
    assert vllm_medium(picture := image((1, 2, 3))) is picture


def test_each_step_of_vllm_is_a_sign_of_life():
    class StatLoggerBase(ABC):
        """As vLLM 0.32 has it."""

        @abstractmethod
        def __init__(self, vllm_config, engine_index=0): ...

        @abstractmethod
        def record(self, scheduler_stats, iteration_stats, mm_cache_stats=None, engine_idx=0): ...

        @abstractmethod
        def log_engine_initialized(self): ...

    pulse = Pulse()
    steps = _steps(StatLoggerBase, pulse)(object(), 0)
    steps.log_engine_initialized()
    steps.record(None, None, mm_cache_stats=None, engine_idx=0)
    assert pulse.beats == 1
