"""``winnow run``: start, import, list, show, log, cancel, resume, filter, predictions."""

from __future__ import annotations

import json as json_module
import time
from pathlib import Path
from typing import Annotated, Any

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
    clean,
    note,
    print_json,
    print_lines,
    print_table,
    say,
    workspace,
)
from backend.domain.filtering import PRESETS, Policy, load_policy
from backend.domain.pairs import OrderPolicy
from backend.domain.verdict import flaws_of, reasoning_of
from backend.engines.base import EngineOptions
from backend.errors import PolicyError, RunError, UsageError
from backend.inference.imports import import_predictions
from backend.inference.launch import ACTIVE, RunRequest
from backend.inference.spec import RunSpec, instructions
from backend.store.runs import RunRow
from backend.workspace import Workspace

app = typer.Typer(help="Judge a dataset in the background.", no_args_is_help=True)
PolicyOption = Annotated[
    str, typer.Option(help=f"Filter policy: {', '.join(PRESETS)}, a JSON file, or JSON")
]


def as_json(space: Workspace, run: RunRow) -> dict[str, Any]:
    """A run as every listing prints it."""
    return {
        "id": run.id,
        "dataset": run.dataset,
        "model": run.model,
        "engine": run.engine,
        "status": run.status,
        "counts": space.runs.counts(run.id),
        "progress": run.progress,
        "policy": run.policy,
        "error": run.error,
        "hint": run.hint,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


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
        except ValueError as error:
            raise PolicyError(f"the policy is not JSON ({error})") from error
    path = Path(given)
    if not path.is_file():
        raise PolicyError(
            f"there is no policy {given!r}", hint=f"presets: {', '.join(PRESETS)}; or a JSON file"
        )
    try:
        return load_policy(json_module.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        raise PolicyError(f"{path}: not a JSON policy ({error})") from error


@app.command()
def start(
    dataset: Annotated[str, typer.Option(help="Name of a dataset")],
    model: Annotated[str, typer.Option(help="Folder or hub name of the judge")],
    engine: Annotated[
        str, typer.Option(help="auto, vllm, transformers, openai or scripted")
    ] = "auto",
    order: Annotated[
        OrderPolicy | None, typer.Option(help="Shown order; default: shuffled for hpdv3")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Completions for each shown pair")] = 1,
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
    max_pixels: Annotated[int | None, typer.Option(help="Pixels of an image or frame")] = None,
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
            _summary(space, run)
        else:
            say(f"run {run_id} is queued; `winnow run show {run_id}` follows it")


@app.command("import")
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
    if not predictions.is_file():
        raise UsageError(f"{predictions}: no such file")
    template = read_instruction(task_instruction)
    with workspace() as space:
        row = space.datasets.get(dataset)
        spec = RunSpec(
            model=model,
            engine="import",
            options=EngineOptions(video_fps=video_fps),
            use_cot=use_cot,
            instruction=instructions(template, use_cot=use_cot),
        )
        run_id = import_predictions(space.database, row.id, spec, read_policy(policy), predictions)
        run = space.runs.get(run_id)
        if json:
            print_json(as_json(space, run))
        else:
            _summary(space, run)


@app.command("list")
def list_runs(json: Json = False) -> None:
    """All runs."""
    with workspace() as space:
        rows = [as_json(space, run) for run in space.runs.list()]
    if json:
        print_json(rows)
        return
    print_table(
        ("id", "dataset", "model", "engine", "status", "done", "accepted", "failed"),
        (
            (
                row["id"],
                row["dataset"],
                row["model"],
                row["engine"],
                row["status"],
                f"{row['counts']['done']}/{row['counts']['total']}",
                row["counts"]["accepted"],
                row["counts"]["failed"],
            )
            for row in rows
        ),
    )


@app.command()
def show(run: int, json: Json = False) -> None:
    """One run, live."""
    with workspace() as space:
        space.supervise()
        row = space.runs.get(run)
        failures = space.predictions.failures(run)
        if json:
            print_json({**as_json(space, row), "spec": row.spec, "failures": failures})
            return
        _summary(space, row)
        for failure in failures[:20]:
            say(f"failed: pair {failure['index']} ({failure['order']}): {failure['error']}")


@app.command()
def log(
    run: int, follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on reading")] = False
) -> None:
    """The log of a run's process."""
    with workspace() as space:
        row = space.runs.get(run)
        if row.log_path is None:
            raise RunError(f"run {run} was imported and has no log")
        path = Path(row.log_path)
        position = 0
        while True:
            active = space.runs.get(run).status in ACTIVE
            if path.exists():
                with path.open(encoding="utf-8", errors="replace") as stream:
                    stream.seek(position)
                    for line in stream:
                        say(line.rstrip("\n"))
                    position = stream.tell()
            if not (follow and active):
                return
            time.sleep(0.5)


@app.command()
def cancel(run: int) -> None:
    """Stop a run and verify that nothing of it is left."""
    with workspace() as space:
        space.launcher.cancel(run)
        space.supervise()
        deadline = time.monotonic() + 60
        row = space.runs.get(run)
        while row.status in ACTIVE and time.monotonic() < deadline:
            time.sleep(0.2)
            space.supervise()
            row = space.runs.get(run)
        if row.status in ACTIVE:
            raise RunError(f"run {run} is still {row.status}", hint=f"`winnow run log {run}`")
        say(f"run {run} is {row.status}")


@app.command()
def resume(
    run: int, wait: Annotated[bool, typer.Option("--wait", help="Stay until it has ended")] = False
) -> None:
    """Go on with what a run has left, failed pairs included."""
    with workspace() as space:
        space.launcher.resume(run)
        space.supervise()
        if wait:
            _summary(space, watch(space, run))
        else:
            say(f"run {run} is queued again")


@app.command("filter")
def refilter(run: int, policy: PolicyOption, json: Json = False) -> None:
    """Decide a run anew under another policy, without inference."""
    with workspace() as space:
        changed = space.launcher.refilter(run, read_policy(policy))
        row = space.runs.get(run)
        if json:
            print_json({**as_json(space, row), "changed": changed})
        else:
            say(f"{changed} decisions changed")
            _summary(space, row)


@app.command()
def predictions(
    run: int,
    decision: Annotated[str | None, typer.Option(help="accepted or rejected")] = None,
    reason: str | None = None,
    json: Json = False,
) -> None:
    """Every prediction: JSON lines with --json, else a line each."""
    if decision not in (None, "accepted", "rejected"):
        raise UsageError(f"unknown decision {decision!r}", hint="accepted or rejected")
    with workspace() as space:
        space.runs.get(run)
        rows = space.predictions.iter_rows(run, decision=decision, reason=reason)
        if json:
            print_lines(_prediction(row) for row in rows)
            return
        for row in rows:
            caption = " ".join(clean(row["prompt"]).split())[:60]
            say(
                f"{row['index']:>6} {row['order']:<8}{row['sample']:>2}  "
                f"{row['answer'] or '-':<7}{row['preference']:<7}{row['effective']:<9}"
                f"{row['reason']:<14}{caption}"
            )


def _prediction(row: dict[str, Any]) -> dict[str, Any]:
    scores = row["scores"]
    return {
        "id": row["id"],
        "key": row["key"],
        "index": row["index"],
        "order": row["order"],
        "sample": row["sample"],
        "prompt": row["prompt"],
        "text": row["text"],
        "answer": row["answer"],
        "reasoning": reasoning_of(row["text"]),
        "dimensions": [
            {"name": name, "first": first, "second": second}
            for name, first, second in scores["dimensions"]
        ],
        "totals": scores["totals"],
        "margin": row["margin"],
        "flaws": sorted(flaws_of(row["flaws"])),
        "preference": row["preference"],
        "decision": row["decision"],
        "reason": row["reason"],
        "ruling": row["ruling"],
        "effective": row["effective"],
        "finish_reason": row["finish_reason"],
    }


def _summary(space: Workspace, run: RunRow) -> None:
    counts = space.runs.counts(run.id)
    say(f"run {run.id} · {run.dataset} · {run.model} · {run.engine} · {run.status}")
    if run.error:
        say(f"{run.error}{' (' + run.hint + ')' if run.hint else ''}")
    say(
        f"{counts['done']} of {counts['total']} done, {counts['accepted']} accepted, "
        f"{counts['rejected']} rejected, {counts['failed']} failed"
    )
    for reason, count in sorted(counts["rejected_by_reason"].items()):
        say(f"  rejected, {reason}: {count}")
    if run.status in ACTIVE and run.progress:
        eta = run.progress.get("eta_s")
        say(
            f"{run.progress.get('pairs_per_s', 0)} predictions/s, "
            f"{run.progress.get('tokens_per_s', 0)} tokens/s"
            + (f", {eta:.0f} s left" if eta is not None else "")
        )
