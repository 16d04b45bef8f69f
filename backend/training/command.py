"""The ``command`` trainer: any program, by a template of its arguments.

``{data}``, ``{model}`` and the others in :func:`places` are filled in, inside of one argument each: there
is no shell, so nothing in a path or a name can become a second argument. Only :data:`EACH_FILE`, standing
alone, becomes one argument a file.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json
from backend.domain.pairs import MediaKind
from backend.domain.preflight import Check, Level
from backend.engines.models import pixel_limit
from backend.errors import UsageError
from backend.foreign_text import brief
from backend.hints import Hint
from backend.training import tensorboard
from backend.training.base import Checkpoint, Command, Metric, TrainerKind
from backend.training.data import DataFile, data_files, expected_files
from backend.training.folder import find, read_json, write_whole
from backend.training.programs import program_checks, program_places
from backend.training.spec import TrainingSpec
from backend.training.weights import has_whole_weights

_NO_COMMAND = Hint("give the program and its arguments in {command}")
_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
EACH_FILE = "{data_files}"
_LOGS = ("trainer_log.jsonl", "logging.jsonl")
"""What LLaMA-Factory and ms-swift write beside their checkpoints."""

_NUMBERS = (
    "actor_learning_rate",
    "max_epochs",
    "max_steps",
    "train_batch_size",
    "micro_train_batch_size",
    "gradient_accumulation_steps",
    "lr_warmup_ratio",
    "max_norm",
    "prompt_max_len",
    "max_pixels",
    "fps",
    "seed",
    "save_steps",
    "max_ckpt_num",
    "zero_stage",
    "gpus_per_node",
    "nnodes",
    "node_rank",
    "master_addr",
    "master_port",
    "l2",
)


def split_template(text: str) -> tuple[str, ...]:
    """A template as its arguments, quoted as in a POSIX shell.

    Raises:
        UsageError: A quote is not closed.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(
            f"the command cannot be read ({brief(error)})", hint="close each quote, or put \\ before it"
        ) from error


def places(spec: TrainingSpec, folder: Path) -> dict[str, str]:
    """What a template may name: data, folders, the model and every number of the spec.

    ``max_pixels`` is what an image is shown with: no more than the model's own processor allows, which
    some programs go around.
    """
    files = data_files(folder) or expected_files(spec, folder)
    train = [str(path) for path in training_files(spec, folder)]
    limits = [limit for kind in MediaKind if (limit := pixel_limit(spec.model, kind))]
    validation = [str(file.path) for file in files if file.validation]
    return {
        "data": ",".join(train),
        "validation_data": ",".join(validation),
        "data_dir": str(folder / "data"),
        "dataset": ",".join(dataset_names(files)),
        "model": spec.model,
        "output": str(folder / "model"),
        **{name: str(getattr(spec, name)) for name in _NUMBERS},
        **program_places(spec),
        "max_pixels": str(min([spec.max_pixels, *limits])),
        # No limit, as transformers' trainer and those upon it say it.
        "max_steps": str(spec.max_steps or -1),
    }


def training_files(spec: TrainingSpec, folder: Path) -> list[Path]:
    """The files to train on; where the sets are not exported yet, those that there will be."""
    files = data_files(folder) or expected_files(spec, folder)
    return [file.path for file in files if not file.validation]


def dataset_names(files: Sequence[DataFile]) -> list[str]:
    """The training files' names in ``data/dataset_info.json``."""
    return [f"{file.path.parent.name}_{file.path.stem}" for file in files if not file.validation]


def write_dataset_info(folder: Path) -> None:
    """One ``dataset_info.json`` over all sets, as LLaMA-Factory reads it."""
    merged: dict[str, Any] = {}
    for export in sorted((folder / "data").glob("set-*")):
        for name, info in read_json(export / "dataset_info.json").items():
            entry = {**info, "file_name": f"{export.name}/{info['file_name']}"}
            merged[f"{export.name}_{name}"] = entry
    if merged:
        write_whole(folder / "data" / "dataset_info.json", merged, below=folder)


@dataclass(frozen=True, slots=True)
class CommandTrainer:
    """Whatever the template says."""

    def preflight(self, spec: TrainingSpec) -> Sequence[Check]:
        """See :class:`backend.training.base.Trainer`."""
        if not spec.command:
            return [Check("Command", Level.FAIL, "no command is given", _NO_COMMAND)]
        unknown = _unknown(spec)
        if unknown:
            return [Check("Command", Level.FAIL, f"unknown place {unknown}", _known_places())]
        program = shutil.which(spec.command[0])
        if program is None:
            return [
                Check(
                    "Command",
                    Level.FAIL,
                    f"there is no program {spec.command[0]}",
                    "give its path, or install it where this runs",
                )
            ]
        checks = [Check("Command", Level.OK, program), *program_checks(spec)]
        if not any("{output}" in word for word in spec.command):
            checks.append(
                Check(
                    "Output", Level.WARN, "the command does not name {output}", "checkpoints are looked for there alone"
                )
            )
        expected = expected_files(spec, Path(spec.output_dir))
        files = [file for file in expected if not file.validation]
        if len(files) > 1 and "data" in places_in(spec.command):
            checks.append(
                Check(
                    "Data",
                    Level.WARN,
                    f"{{data}} stands for {len(files)} files, joined by commas in one argument",
                    f"{EACH_FILE}, where the program wants an argument a file, as ms-swift does",
                )
            )
        if spec.max_steps is not None and "max_steps" not in places_in(spec.command):
            checks.append(
                Check(
                    "Steps",
                    Level.WARN,
                    f"the command does not name {{max_steps}}, so max_steps {spec.max_steps} is not heeded",
                    "--max_steps {max_steps} in the command, where the program has that option",
                )
            )
        return checks

    def command(self, spec: TrainingSpec, folder: Path) -> Command:
        """The template with its places filled in.

        Raises:
            UsageError: It names something that is not known, or is empty.
        """
        if not spec.command:
            raise UsageError("the command trainer needs a command", hint=_NO_COMMAND)
        unknown = _unknown(spec)
        if unknown:
            raise UsageError(f"unknown place {unknown} in the command", hint=_known_places())
        known = places(spec, folder)
        argv: list[str] = []
        for word in spec.command:
            if word == EACH_FILE:
                argv += [str(path) for path in training_files(spec, folder)]
            else:
                argv.append(_PLACE.sub(lambda m: known[m[1]], word))
        return Command(tuple(argv), spec.visible_devices, str(folder))

    def self_check(self) -> Command | None:
        """None: what the program does is not known."""
        return None

    def metrics(self, folder: Path) -> Sequence[Metric]:
        """From the program's TensorBoard files, else from the logs of the trainers that are known."""
        found = tensorboard.read_metrics(folder)
        return found or _logged(folder / "model")

    def checkpoints(self, folder: Path) -> Sequence[Checkpoint]:
        """Model folders under ``{output}``, by the step in their name; the output itself last."""
        save = folder / "model"
        found = []
        for path in find(save, "checkpoint-*"):
            number = path.name.removeprefix("checkpoint-")
            if number.isdigit() and (path / "config.json").is_file():
                whole = has_whole_weights(path)
                found.append(Checkpoint(path, int(number), final=False, judge=whole))
        found.sort(key=lambda checkpoint: checkpoint.step or 0)
        if (save / "config.json").is_file():
            found.append(Checkpoint(save, None, final=True, judge=has_whole_weights(save)))
        return found


COMMAND = TrainerKind(
    name="command",
    label="any program",
    purpose="Runs any program, by a template of its arguments.",
    load=lambda _tools: CommandTrainer(),
    data_format=None,
    by_template=True,
)


def places_in(template: Sequence[str]) -> frozenset[str]:
    """What a template names, known or not."""
    return frozenset(name for word in template for name in _PLACE.findall(word))


_KNOWN = (
    "data",
    "data_files",
    "validation_data",
    "data_dir",
    "dataset",
    "model",
    "output",
    "model_type",
    "llamafactory_template",
    "swift_template",
    "bf16",
    "torch_dtype",
    *_NUMBERS,
)


def _unknown(spec: TrainingSpec) -> str | None:
    for word in spec.command:
        for name in _PLACE.findall(word):
            if name not in _KNOWN:
                return f"{{{name}}}"
            if name == "data_files" and word != EACH_FILE:
                return f"{EACH_FILE} within an argument: it stands alone"
    return None


def _known_places() -> str:
    return "known: " + ", ".join(f"{{{name}}}" for name in _KNOWN)


def _logged(save: Path) -> list[Metric]:
    found: dict[int, Metric] = {}
    for name in _LOGS:
        for path in sorted(find(save, name)):
            for line in _lines(path):
                metric = _metric(line)
                if metric is not None:
                    found[metric.step] = metric
    return [found[step] for step in sorted(found)]


def _lines(path: Path) -> Iterator[str]:
    # It may have gone with its checkpoint.
    with contextlib.suppress(OSError), path.open(encoding="utf-8", errors="replace") as stream:
        yield from stream


def _metric(line: str) -> Metric | None:
    """One line of ``trainer_log.jsonl`` (``current_steps, loss, lr``) or of ms-swift's
    ``logging.jsonl`` (``global_step/max_steps, loss, learning_rate``)."""
    try:
        row = load_json(line)
        step = row.get("current_steps") or str(row["global_step/max_steps"]).partition("/")[0]
        return Metric(
            step=int(step),
            loss=_number(row.get("loss")),
            validation_loss=_number(row.get("eval_loss")),
            learning_rate=_number(row.get("lr", row.get("learning_rate"))),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
