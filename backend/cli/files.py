"""``winnow convert`` and ``winnow prepare``: the one-shot forms that existing scripts call."""

from __future__ import annotations

import hashlib
import os
import shlex
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.datasets import AllowLinksTo
from backend.cli.engine_options import Instruction, read_instruction, watch
from backend.cli.hints import in_command
from backend.cli.output import Json, note, print_json, progress_bar, say, workspace
from backend.cli.run_options import Judging, run_options
from backend.cli.variables import note_variables, variables_used
from backend.curation import sets as curated
from backend.datasets.registry import parse_spec
from backend.domain.pairs import MediaKind
from backend.errors import DatasetError, ExportError, UsageError
from backend.export.claim import check_free
from backend.export.convert import ConvertReport, convert_t2i, convert_t2v
from backend.export.exporter import export_samples, export_set
from backend.export.formats import OURS
from backend.inference.launch import RunRequest
from backend.ingest.importer import import_dataset
from backend.media.opening import open_regular
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
Fps = Annotated[float | None, typer.Option(help=f"t2v: frames a second given to the judge; default {_FPS}")]


def convert(
    task: TaskName,
    filtered_samples_path: Annotated[Path, typer.Option(help="filtered_samples.json, or a converted T2I file")],
    output_path: Annotated[Path, typer.Option(help="Training file to write")],
    data_root: Annotated[
        Path | None, typer.Option(help="Folder that media paths are relative to; default: that of the samples")
    ] = None,
    task_instruction: Instruction = None,
    video_fps: Fps = None,
    made_elsewhere: Annotated[
        bool, typer.Option("--made-elsewhere", help="Winnow did not write it, though it is laid out so")
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
        note(f"{report.malformed} malformed rows were left out, the first: {report.first_malformed}")
    say(f"{report.inverted} rows would have carried an inverted label, and are right now")


_VARIABLES = {
    "batch_size": "INFERENCE_BATCH_SIZE",
    "max_new_tokens": "MAX_NEW_TOKENS",
    "task_instruction": "TASK_INSTRUCTION",
    "tensor_parallel_size": "GPUS_PER_NODE",
    "video_fps": "VIDEO_FPS",
}
"""Those of the scripts that ``prepare`` stands for."""


# As the scripts: over two GPUs. How many frames a second is asked for says whether images are.
@run_options(variables=_VARIABLES, tensor_parallel_size=2, video_fps=None)
def prepare(
    context: typer.Context,
    task: TaskName,
    model_path: Annotated[str, typer.Option(help="Folder or hub name of the judge", envvar="MODEL_PATH")],
    data_path: Annotated[str, typer.Option(metavar="SOURCE:PATH[,SOURCE:PATH…]", envvar="DATA_PATH")],
    judging: Judging,
    output_dir: Annotated[
        Path | None, typer.Option(help="Folder for training file and samples", envvar="OUTPUT_DIR")
    ] = None,
    output_path: Annotated[
        Path | None, typer.Option(help="In its place: file for the filtered samples, which convert reads")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Folder that media paths are relative to", envvar="DATA_ROOT")
    ] = None,
    allow_links_to: AllowLinksTo = None,
) -> None:
    """Inference, filter and conversion in one go.

    Leaves the training file, the filtered samples and their statistics in a folder; or, with
    --output-path, the filtered samples alone. Options that are not given are read from the variables
    of the scripts that this stands for.
    """
    used = variables_used(context)
    options, unread = judging["options"], set()
    if task is Task.T2I and "--video-fps" in used:
        unread.add("--video-fps")
    elif "video_fps" in options.model_fields_set:
        _fps(task, options.video_fps)
    if output_path is not None and "--output-dir" in used:
        output_dir = None
        unread.add("--output-dir")
    out = _output(output_dir, output_path)
    note_variables(used, unread)
    with workspace() as space:
        dataset = _dataset(space, task.kind, data_path, data_root, allow_links_to)
        request = RunRequest(dataset=dataset.name, model=model_path, **judging)
        run_id, resolved = space.launcher.start(request)
        space.supervise()
        note(f"run {run_id} in {space.folder}; engine {resolved.name}: {resolved.why}")
        watch(space, run_id)
        frozen = curated.freeze(space.database, dataset.name, [run_id])
        if output_path is None:
            manifest = export_set(space.database, frozen, format=OURS, out=out)
        else:
            manifest = export_samples(space.database, frozen, out)
        for line in map(in_command, manifest.notes):
            note(line)
        counts = space.runs.counts(run_id)
        what = "training data" if output_path is None else "filtered samples"
        say(f"{counts['accepted']} of {counts['done']} accepted; {what} in {out}")
        if output_path is not None:
            say(f"next: winnow convert {task.value} --filtered-samples-path {shlex.quote(str(out))} --output-path …")
        say(f"train on them: winnow train start --set {frozen.name}@{frozen.version} …")


def _output(folder: Path | None, file: Path | None) -> Path:
    """Where to write; refused before a judge has worked for it where that cannot be.

    Raises:
        UsageError: Not exactly one of both was given.
        ExportError: It cannot be written.
    """
    if (folder is None) == (file is None):
        both = "exclude each other" if folder else "are missing; one of them is needed"
        raise UsageError(
            f"--output-dir and --output-path {both}", hint="a folder for all of it, or a file for the filtered samples"
        )
    if folder is not None:
        _check_output(folder)
        return folder
    assert file is not None
    if file.is_dir() or not _writable(file.parent):
        raise ExportError(f"{file}: cannot be made or written", hint="give another --output-path")
    return file


def _check_output(out: Path) -> None:
    """Refuse a folder that cannot be exported to before a judge has worked for it."""
    if not _writable(out):
        raise ExportError(f"{out}: cannot be made or written", hint="give another --output-dir")
    check_free(out)


def _writable(folder: Path) -> bool:
    """Whether a folder is there, or can be made, and files in it."""
    nearest = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    return nearest.is_dir() and os.access(nearest, os.W_OK)


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
        digest.update(f"\0{source.spec}\0{path}\0".encode("utf-8", "surrogateescape"))
        try:
            with open_regular(path) as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror})", hint="the form is SOURCE:PATH") from error
    return f"prepare-{kind.value}-{digest.hexdigest()[:12]}"
