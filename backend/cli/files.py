"""``winnow convert`` and ``winnow prepare``: the one-shot forms that existing scripts call."""

from __future__ import annotations

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
from backend.cli.output import Json, note, print_json, progress_bar, say, workspace
from backend.curation import sets as curated
from backend.domain.pairs import MediaKind
from backend.engines.base import EngineOptions
from backend.export import export_set
from backend.export.convert import ConvertReport, convert_t2i, convert_t2v
from backend.inference.launch import RunRequest
from backend.ingest.importer import import_dataset

convert = typer.Typer(help="Repair files made by other scripts.", no_args_is_help=True)
prepare = typer.Typer(help="Inference, filter and conversion in one go.", no_args_is_help=True)

Filtered = Annotated[Path, typer.Option(help="filtered_samples.json, or a converted T2I file")]
Output = Annotated[Path, typer.Option(help="Training file to write")]
DataRoot = Annotated[Path | None, typer.Option(help="Folder that media paths are relative to")]
ModelPath = Annotated[str, typer.Option(help="Folder or hub name of the judge")]
DataPath = Annotated[str, typer.Option(metavar="SOURCE:PATH[,SOURCE:PATH…]")]
OutputDir = Annotated[Path, typer.Option(help="Folder to write")]
Engine = Annotated[str, typer.Option(help="auto, vllm, transformers, openai or scripted")]


@convert.command("t2i")
def convert_images(
    filtered_samples_path: Filtered,
    output_path: Output,
    data_root: DataRoot = None,
    task_instruction: Instruction = None,
    json: Json = False,
) -> None:
    """Correctly labelled training data from an upstream T2I file."""
    report = convert_t2i(
        filtered_samples_path,
        output_path,
        data_root=data_root,
        task_instruction=read_instruction(task_instruction),
    )
    _converted(report, output_path, json)


@convert.command("t2v")
def convert_videos(
    filtered_samples_path: Filtered,
    output_path: Output,
    data_root: DataRoot = None,
    task_instruction: Instruction = None,
    video_fps: VideoFps = 2.0,
    json: Json = False,
) -> None:
    """Correctly labelled training data from an upstream T2V file."""
    report = convert_t2v(
        filtered_samples_path,
        output_path,
        task_instruction=read_instruction(task_instruction),
        video_fps=video_fps,
        data_root=data_root,
    )
    _converted(report, output_path, json)


def _converted(report: ConvertReport, output: Path, json: bool) -> None:
    if json:
        print_json(
            {
                "rows": report.rows,
                "written": report.written,
                "inverted": report.inverted,
                "skipped": report.skipped,
                "malformed": report.malformed,
                "output": str(output),
            }
        )
        return
    say(f"{report.written} of {report.rows} rows written to {output}, {report.skipped} skipped")
    if report.malformed:
        note(
            f"{report.malformed} malformed rows were left out, the first: {report.first_malformed}"
        )
    say(f"{report.inverted} rows would have carried an inverted label, and are right now")


@prepare.command("t2i")
def prepare_images(
    model_path: ModelPath,
    data_path: DataPath,
    output_dir: OutputDir,
    data_root: DataRoot = None,
    batch_size: BatchSize = 8,
    max_new_tokens: MaxNewTokens = 2048,
    task_instruction: Instruction = None,
    tensor_parallel_size: TensorParallel = 2,
    gpu_memory_utilization: GpuMemory = 0.9,
    use_cot: UseCot = True,
    engine: Engine = "auto",
    seed: int = 0,
) -> None:
    """T2I: leaves the filtered samples, their statistics and the training file."""
    _prepare(
        MediaKind.IMAGE,
        model_path,
        data_path,
        output_dir,
        data_root,
        engine,
        seed,
        use_cot,
        task_instruction,
        engine_options(
            batch_size=batch_size,
            max_new_tokens=max_new_tokens,
            tensor_parallel_size=tensor_parallel_size,
            gpu_memory_utilization=gpu_memory_utilization,
        ),
    )


@prepare.command("t2v")
def prepare_videos(
    model_path: ModelPath,
    data_path: DataPath,
    output_dir: OutputDir,
    data_root: DataRoot = None,
    batch_size: BatchSize = 8,
    max_new_tokens: MaxNewTokens = 2048,
    task_instruction: Instruction = None,
    tensor_parallel_size: TensorParallel = 2,
    gpu_memory_utilization: GpuMemory = 0.9,
    video_fps: VideoFps = 2.0,
    use_cot: UseCot = True,
    engine: Engine = "auto",
    seed: int = 0,
) -> None:
    """T2V: leaves the filtered samples, their statistics and the training file."""
    _prepare(
        MediaKind.VIDEO,
        model_path,
        data_path,
        output_dir,
        data_root,
        engine,
        seed,
        use_cot,
        task_instruction,
        engine_options(
            batch_size=batch_size,
            max_new_tokens=max_new_tokens,
            tensor_parallel_size=tensor_parallel_size,
            gpu_memory_utilization=gpu_memory_utilization,
            video_fps=video_fps,
        ),
    )


def _prepare(
    kind: MediaKind,
    model: str,
    data: str,
    output: Path,
    data_root: Path | None,
    engine: str,
    seed: int,
    use_cot: bool,
    task_instruction: str | None,
    options: EngineOptions,
) -> None:
    with workspace() as space:
        name = f"prepare-{output.resolve().name}-{kind.value}"
        with progress_bar() as bar:
            task = bar.add_task("rows", total=None)
            dataset = import_dataset(
                space.database,
                name=name,
                spec=data,
                data_root=data_root,
                progress=lambda rows: bar.update(task, completed=rows),
            )
        run_id, resolved = space.launcher.start(
            RunRequest(
                dataset=dataset.name,
                model=model,
                engine=engine,
                options=options,
                seed=seed,
                use_cot=use_cot,
                instruction=read_instruction(task_instruction),
            )
        )
        space.supervise()
        note(f"run {run_id} in {space.folder}; engine {resolved.name}: {resolved.why}")
        watch(space, run_id)
        frozen = curated.freeze(space.database, name, [run_id])
        export_set(space.database, frozen, format="lightrft", out=output)
        counts = space.runs.counts(run_id)
        say(f"{counts['accepted']} of {counts['done']} accepted; training data in {output}")
