"""``winnow run start`` and ``winnow run import``: the two ways to a run."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.engine_options import (
    BatchSize,
    GpuMemory,
    Instruction,
    MaxNewTokens,
    TensorParallel,
    UseCot,
    VideoFps,
    engine_options,
    read_instruction,
    watch,
)
from backend.cli.output import (
    Json,
    note,
    print_json,
    say,
    workspace,
)
from backend.cli.run_output import as_json, summary
from backend.domain.filtering import PRESETS, Policy, load_policy
from backend.domain.pairs import OrderPolicy
from backend.errors import PolicyError
from backend.inference.imports import import_predictions
from backend.inference.launch import MAX_SAMPLES, RunRequest
from backend.inference.spec import RunSpec, instructions
from backend.media.images import MAX_PIXELS

PolicyOption = Annotated[
    str, typer.Option(help=f"Filter policy: {', '.join(PRESETS)}, a JSON file, or JSON")
]


_POLICIES = f"presets: {', '.join(PRESETS)}; or a JSON file"


def read_policy(given: str) -> Policy:
    """A preset by its name, a policy file, or the policy itself as JSON.

    Raises:
        PolicyError: Neither exists, or the file is no policy.
    """
    if given in PRESETS:
        return PRESETS[given]
    if given.lstrip().startswith("{"):
        try:
            return load_policy(json_module.loads(given))
        except (ValueError, RecursionError) as error:
            raise PolicyError(f"the policy is not JSON ({error})", hint=_POLICIES) from error
    path = Path(given)
    if not path.is_file():
        raise PolicyError(f"there is no policy {given!r}", hint=_POLICIES)
    try:
        return load_policy(json_module.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError, RecursionError) as error:
        raise PolicyError(f"{path}: not a JSON policy ({error})", hint=_POLICIES) from error


def start(
    dataset: Annotated[str, typer.Option(help="Name of a dataset")],
    model: Annotated[str, typer.Option(help="Folder or hub name of the judge")],
    engine: Annotated[
        str, typer.Option(help="auto, vllm, transformers, openai or scripted")
    ] = "auto",
    order: Annotated[
        OrderPolicy | None,
        typer.Option(help="Shown order; default: shuffled where a file may put the winner first"),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, max=MAX_SAMPLES, help="Completions for each shown pair")
    ] = 1,
    seed: int = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge only the first pairs")] = None,
    policy: PolicyOption = "agreement",
    task_instruction: Instruction = None,
    use_cot: UseCot = True,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the run has ended")] = False,
    batch_size: BatchSize = 8,
    max_new_tokens: MaxNewTokens = 2048,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="Default 0, or 0.7 with several samples")
    ] = None,
    top_p: float = 1.0,
    repetition_penalty: float = 1.0,
    video_fps: VideoFps = 2.0,
    max_pixels: Annotated[int, typer.Option(help="Pixels of an image or frame")] = MAX_PIXELS,
    dtype: str = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, or cuda:0,1")] = "auto",
    max_model_len: int | None = None,
    tensor_parallel_size: TensorParallel = 1,
    gpu_memory_utilization: GpuMemory = 0.9,
    enforce_eager: bool = False,
    trust_remote_code: bool = False,
    endpoint: Annotated[
        list[str] | None, typer.Option(help="OpenAI-compatible base URL; may be repeated")
    ] = None,
    api_key_env: Annotated[
        str, typer.Option(help="Name of the variable with the endpoints' API key")
    ] = "OPENAI_API_KEY",
    scripted_file: Annotated[Path | None, typer.Option(help="Texts to replay")] = None,
    scripted_latency: float = 0.0,
    json: Json = False,
) -> None:
    """Queue a run; it goes on in the background whatever becomes of this terminal."""
    options = engine_options(
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
        temperature=temperature if temperature is not None else (0.7 if samples > 1 else 0.0),
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        video_fps=video_fps,
        max_pixels=max_pixels,
        dtype=dtype,
        device=device,
        max_model_len=max_model_len,
        tensor_parallel_size=tensor_parallel_size,
        gpu_memory_utilization=gpu_memory_utilization,
        enforce_eager=enforce_eager,
        trust_remote_code=trust_remote_code,
        endpoints=tuple(endpoint or ()),
        api_key_env=api_key_env,
        scripted_file=str(scripted_file.absolute()) if scripted_file else None,
        scripted_latency=scripted_latency,
    )
    request = RunRequest(
        dataset=dataset,
        model=model,
        engine=engine,
        options=options,
        order=order,
        samples=samples,
        seed=seed,
        limit=limit,
        use_cot=use_cot,
        instruction=read_instruction(task_instruction),
        policy=read_policy(policy),
    )
    with workspace() as space:
        run_id, resolved = space.launcher.start(request)
        space.supervise()
        note(f"engine {resolved.name}: {resolved.why}")
        run = watch(space, run_id) if wait else space.runs.get(run_id)
        if json:
            print_json(as_json(space, run))
        elif wait:
            summary(space, run)
        else:
            say(f"run {run_id} is queued; `winnow run show {run_id}` follows it")


def import_run(
    dataset: Annotated[str, typer.Option(help="Name of a dataset")],
    predictions: Annotated[Path, typer.Option(help="JSON lines of texts made elsewhere")],
    model: Annotated[str, typer.Option(help="What made the texts")] = "imported",
    policy: PolicyOption = "agreement",
    task_instruction: Instruction = None,
    use_cot: UseCot = True,
    video_fps: VideoFps = 2.0,
    json: Json = False,
) -> None:
    """Store texts made elsewhere as a run."""
    options = engine_options(video_fps=video_fps)
    template = read_instruction(task_instruction)
    with workspace() as space:
        row = space.datasets.get(dataset)
        spec = RunSpec(
            model=model,
            engine="import",
            options=options,
            use_cot=use_cot,
            instruction=instructions(template, use_cot=use_cot),
        )
        run_id = import_predictions(space.database, row.id, spec, read_policy(policy), predictions)
        run = space.runs.get(run_id)
        if json:
            print_json(as_json(space, run))
        else:
            summary(space, run)
