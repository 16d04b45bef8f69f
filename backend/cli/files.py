"""``winnow convert`` and ``winnow prepare``: the one-shot forms that existing scripts call."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.datasets import AllowLinksTo
from backend.cli.engine_options import (
    BatchSize,
    GpuMemory,
    Instruction,
    MaxNewTokens,
    TensorParallel,
    UseCot,
    engine_options,
    read_instruction,
    watch,
)
from backend.cli.output import Json, note, print_json, progress_bar, say, workspace
from backend.curation import sets as curated
from backend.datasets.registry import parse_spec
from backend.domain.pairs import MediaKind
from backend.errors import DatasetError, ExportError, UsageError
from backend.export import export_set
from backend.export.convert import ConvertReport, convert_t2i, convert_t2v
from backend.export.exporter import is_our_export
from backend.inference.launch import RunRequest
from backend.ingest.importer import import_dataset
from backend.store.datasets import DatasetRow
from backend.workspace import Workspace

_FPS = 2.0


class Task(StrEnum):
    """What the pairs are made of, as existing scripts call it."""

    T2I = "t2i"
    T2V = "t2v"

    @property
    def kind(self) -> MediaKind:
        return MediaKind.IMAGE if self is Task.T2I else MediaKind.VIDEO


TaskName = Annotated[Task, typer.Argument(help="t2i for pairs of images, t2v for pairs of videos")]
DataRoot = Annotated[Path | None, typer.Option(help="Folder that media paths are relative to")]
Fps = Annotated[
    float | None, typer.Option(help=f"t2v: frames a second given to the judge; default {_FPS}")
]


def convert(
    task: TaskName,
    filtered_samples_path: Annotated[
        Path, typer.Option(help="filtered_samples.json, or a converted T2I file")
    ],
    output_path: Annotated[Path, typer.Option(help="Training file to write")],
    data_root: Annotated[
        Path | None,
        typer.Option(help="Folder that media paths are relative to; default: that of the samples"),
    ] = None,
    task_instruction: Instruction = None,
    video_fps: Fps = None,
    made_elsewhere: Annotated[
        bool,
        typer.Option("--made-elsewhere", help="Winnow did not write it, though it is laid out so"),
    ] = False,
    json: Json = False,
) -> None:
    """Correctly labelled training data from a file that another script made."""
    fps, template = _fps(task, video_fps), read_instruction(task_instruction)
    if task is Task.T2I:
        report = convert_t2i(
            filtered_samples_path,
            output_path,
            data_root=data_root,
            task_instruction=template,
            made_elsewhere=made_elsewhere,
        )
    else:
        report = convert_t2v(
            filtered_samples_path,
            output_path,
            data_root=data_root,
            task_instruction=template,
            video_fps=fps,
            made_elsewhere=made_elsewhere,
        )
    _converted(report, output_path, json)


def _converted(report: ConvertReport, output: Path, json: bool) -> None:
    if json:
        print_json({**asdict(report), "output": str(output)})
        return
    say(f"{report.written} of {report.rows} rows written to {output}, {report.skipped} skipped")
    if report.malformed:
        note(
            f"{report.malformed} malformed rows were left out, the first: {report.first_malformed}"
        )
    say(f"{report.inverted} rows would have carried an inverted label, and are right now")


def prepare(
    task: TaskName,
    model_path: Annotated[str, typer.Option(help="Folder or hub name of the judge")],
    data_path: Annotated[str, typer.Option(metavar="SOURCE:PATH[,SOURCE:PATH…]")],
    output_dir: Annotated[Path, typer.Option(help="Folder to write")],
    data_root: DataRoot = None,
    allow_links_to: AllowLinksTo = None,
    batch_size: BatchSize = 8,
    max_new_tokens: MaxNewTokens = 2048,
    task_instruction: Instruction = None,
    tensor_parallel_size: TensorParallel = 2,
    gpu_memory_utilization: GpuMemory = 0.9,
    video_fps: Fps = None,
    use_cot: UseCot = True,
    engine: Annotated[
        str, typer.Option(help="auto, vllm, transformers, openai or scripted")
    ] = "auto",
    seed: int = 0,
) -> None:
    """Inference, filter and conversion in one go.

    Leaves the filtered samples, their statistics and the training file.
    """
    options = engine_options(
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
        tensor_parallel_size=tensor_parallel_size,
        gpu_memory_utilization=gpu_memory_utilization,
        video_fps=_fps(task, video_fps),
    )
    template = read_instruction(task_instruction)
    _check_output(output_dir)
    with workspace() as space:
        dataset = _dataset(space, task.kind, data_path, data_root, allow_links_to)
        run_id, resolved = space.launcher.start(
            RunRequest(
                dataset=dataset.name,
                model=model_path,
                engine=engine,
                options=options,
                seed=seed,
                use_cot=use_cot,
                instruction=template,
            )
        )
        space.supervise()
        note(f"run {run_id} in {space.folder}; engine {resolved.name}: {resolved.why}")
        watch(space, run_id)
        frozen = curated.freeze(space.database, dataset.name, [run_id])
        manifest = export_set(space.database, frozen, format="lightrft", out=output_dir)
        for line in manifest.notes:
            note(line)
        counts = space.runs.counts(run_id)
        say(f"{counts['accepted']} of {counts['done']} accepted; training data in {output_dir}")


def _check_output(out: Path) -> None:
    """Refuse a folder that cannot be exported to before a judge has worked for it."""
    nearest = next((path for path in (out, *out.absolute().parents) if path.exists()), out)
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise ExportError(f"{out}: cannot be made or written", hint="give another --output-dir")
    if nearest == out and not is_our_export(out):
        strangers = [path for path in out.iterdir() if not path.name.endswith(".partial")]
        if strangers:
            raise ExportError(
                f"{out} is not empty and holds no export of Winnow's",
                hint="give an empty folder, or delete what is in it",
            )


def _fps(task: Task, given: float | None) -> float:
    if given is not None and task is Task.T2I:
        raise UsageError("--video-fps: images have no frames", hint="leave it out, or say t2v")
    return _FPS if given is None else given


def _dataset(
    space: Workspace, kind: MediaKind, data: str, root: Path | None, links_to: list[Path] | None
) -> DatasetRow:
    """The dataset of these very files: the one that is there already, else a new one."""
    name = _name_of(kind, data, root)
    with progress_bar() as bar:
        task = bar.add_task("rows", total=None)
        return import_dataset(
            space.database,
            name=name,
            spec=data,
            data_root=root,
            links_to=links_to or None,
            kind=kind,
            progress=lambda rows: bar.update(task, completed=rows),
        )


def _name_of(kind: MediaKind, data: str, root: Path | None) -> str:
    """A name that only the same files with the same content have."""
    digest = hashlib.sha256(str(root.expanduser().absolute() if root else "").encode())
    for source, path in parse_spec(data):
        digest.update(f"\0{source.name}\0{path}\0".encode("utf-8", "surrogateescape"))
        try:
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as error:
            raise DatasetError(
                f"{path}: cannot be read ({error.strerror})", hint="the form is SOURCE:PATH"
            ) from error
    return f"prepare-{kind.value}-{digest.hexdigest()[:12]}"
