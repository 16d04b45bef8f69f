"""The ``lightrft`` trainer: LightRFT's own script from a checkout, in its own interpreter.

The command is that of LightRFT's shell scripts (``examples/grm_training/run_grm_vl.sh``), with
:mod:`backend.training.lightrft.entry` before the script: it has the model shown what it was shown at
inference, counts batches and epochs so that a resume goes on where it was, and runs the script unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain.pairs import MediaKind
from backend.domain.preflight import Check, Level
from backend.errors import TrainerUnavailable, TrainingError
from backend.hints import Field, Hint
from backend.training import tensorboard
from backend.training.base import Checkpoint, Command, Metric, TrainerKind, torchrun
from backend.training.data import DataFile, data_files, expected_files
from backend.training.folder import CHECKPOINTS, TENSORBOARD
from backend.training.lightrft.entry import SELF_CHECK
from backend.training.lightrft.finish import ADAPTERS, PREPARES
from backend.training.lightrft.rows import T2I_SOURCE, T2V_SOURCE
from backend.training.lightrft.versions import check_versions
from backend.training.probing import check_port
from backend.training.progress import steps_per_epoch
from backend.training.spec import TrainingSpec
from backend.training.weights import has_whole_weights

SCRIPT = "examples/grm_training/train_grm_vl.py"
MAX_NORM = 1.0
"""Length to which LightRFT clips gradients; its script has no option for it."""

_DATASET = "lightrft/datasets/grm_dataset.py"
_MODEL = "lightrft/models/grm_vl.py"
_TRAINER = "lightrft/trainer/grm_trainer_vl.py"
_STRATEGY = "lightrft/strategy/strategy_base.py"
_ENTRY = Path(__file__).with_name("entry.py")
_HOME_HINT = "git clone LightRFT and name the checkout in LIGHTRFT_HOME"


@dataclass(frozen=True, slots=True)
class LightRFTTrainer:
    """Training by LightRFT, on CUDA.

    Args:
        python: The interpreter that has LightRFT's packages.
        home: LightRFT's checkout.
    """

    python: str
    home: str | None

    def preflight(self, spec: TrainingSpec) -> Sequence[Check]:
        """See :class:`backend.training.base.Trainer`."""
        checks = []
        try:
            home = self._checkout()
        except TrainerUnavailable as error:
            checks.append(Check("LightRFT", Level.FAIL, error.message, error.hint))
        else:
            checks.append(_check_checkout(home))
            flash = spec.flash_attn is not False
            checks += check_versions(self.python, home, spec.model, flash_attn=flash)
        checks.append(check_port(spec))
        checks += [_check_batch(spec), *_check_mixed(spec), *_check_unread(spec)]
        if spec.max_ckpt_num < 2:
            checks.append(
                Check(
                    "Checkpoints",
                    Level.WARN,
                    "LightRFT deletes the oldest checkpoint before it writes the next",
                    Hint("{max_ckpt_num:2} keeps one whole at any time"),
                )
            )
        return checks

    def command(self, spec: TrainingSpec, folder: Path) -> Command:
        """``torchrun`` on LightRFT's script; see :class:`backend.training.base.Trainer`.

        Raises:
            TrainingError: The exported rows do not fill one optimizer step.
        """
        home = self._checkout()
        files = data_files(folder)
        _check_rows(spec, files)
        sources = _sources(files or expected_files(spec, folder))
        argv = [*torchrun(self.python, spec), str(_ENTRY), SCRIPT, *_arguments(spec, folder, *sources)]
        if _resumable(folder / CHECKPOINTS):
            argv.append("--load_checkpoint")
        return Command(tuple(argv), self._environment(spec, home), str(home))

    def self_check(self) -> Command | None:
        """See :class:`backend.training.base.Trainer`."""
        try:
            home = self._checkout()
        except TrainerUnavailable:
            return None
        argv = (self.python, str(_ENTRY), SELF_CHECK)
        return Command(argv, {"PYTHONPATH": str(home)}, str(home))

    def metrics(self, folder: Path) -> Sequence[Metric]:
        """See :class:`backend.training.base.Trainer`."""
        return tensorboard.read_metrics(folder / TENSORBOARD)

    def checkpoints(self, folder: Path) -> Sequence[Checkpoint]:
        """DeepSpeed's shards, from which LightRFT resumes, and the finished judge."""
        found = []
        for path in (folder / CHECKPOINTS).glob("global_step*"):
            number = path.name.removeprefix("global_step")
            if number.isdigit() and (any(path.glob("*.pt")) or any(path.glob("*.safetensors"))):
                found.append(Checkpoint(path, int(number), final=False, judge=False))
        found.sort(key=lambda checkpoint: checkpoint.step or 0)
        final = folder / "model" / "final_checkpoint"
        if (final / "config.json").is_file() and has_whole_weights(final):
            # Adapters alone are what is left where they could not be merged, and no processor where
            # it could not be added.
            adapters = (final / ADAPTERS).exists()
            judge = not adapters and any((final / name).is_file() for name in PREPARES)
            found.append(Checkpoint(final, None, final=True, judge=judge))
        return found

    def _checkout(self) -> Path:
        if self.home is None:
            raise TrainerUnavailable("LIGHTRFT_HOME is not set", hint=_HOME_HINT)
        home = Path(self.home).absolute()
        for needed in (SCRIPT, _DATASET, _MODEL):
            if not (home / needed).is_file():
                raise TrainerUnavailable(
                    f"{home} is no LightRFT checkout, or too old: it lacks {needed}", hint=_HOME_HINT
                )
        return home

    def _environment(self, spec: TrainingSpec, home: Path) -> dict[str, str]:
        return {
            "GPUS_PER_NODE": str(spec.gpus_per_node),
            "NNODES": str(spec.nnodes),
            "NODE_RANK": str(spec.node_rank),
            "MASTER_ADDR": spec.master_addr,
            "MASTER_PORT": str(spec.master_port),
            "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
            # Its script lies outside of its package. Not ours: its interpreter needs nothing of it.
            "PYTHONPATH": str(home),
            **spec.visible_devices,
        }


def _resumable(checkpoints: Path) -> bool:
    """Whether the checkpoint that DeepSpeed would load, the one it calls ``latest``, is there."""
    try:
        tag = (checkpoints / "latest").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return False
    return bool(tag) and (checkpoints / tag).is_dir()


def _sources(files: Sequence[DataFile]) -> tuple[list[str], list[str]]:
    """``SOURCE:PATH`` of training and of validation files."""
    train: list[str] = []
    validation: list[str] = []
    for file in files:
        source = T2V_SOURCE if file.kind is MediaKind.VIDEO else T2I_SOURCE
        (validation if file.validation else train).append(f"{source}:{file.path}")
    return train, validation


def _arguments(spec: TrainingSpec, folder: Path, train: list[str], validation: list[str]) -> list[str]:
    """The script's arguments, in the order of LightRFT's own shell scripts."""
    words = [
        "--pretrain",
        spec.model,
        # Apart: it deletes the oldest folder of the one with its checkpoints, whatever that one is,
        # and beside the finished judge it keeps the answers of its validation.
        "--save_path",
        str(folder / "model"),
        "--ckpt_path",
        str(folder / CHECKPOINTS),
        "--train_batch_size",
        str(spec.train_batch_size),
        "--micro_train_batch_size",
        str(spec.micro_train_batch_size),
        "--max_epochs",
        str(spec.max_epochs),
        "--lr_warmup_ratio",
        str(spec.lr_warmup_ratio),
        "--prompt_max_len",
        str(spec.prompt_max_len),
        "--fps",
        str(spec.fps),
        "--max_pixels",
        str(spec.max_pixels),
        "--zero_stage",
        str(spec.zero_stage),
    ]
    if spec.bf16 != "no":
        words.append("--bf16")
    words += ["--actor_learning_rate", str(spec.actor_learning_rate)]
    words += ["--train_data", ",".join(train)]
    if validation:
        words += ["--eval_data", ",".join(validation), "--eval_steps", str(spec.save_steps)]
    if spec.gradient_checkpointing:
        words.append("--gradient_checkpointing")
    words += ["--save_steps", str(spec.save_steps), "--max_ckpt_num", str(spec.max_ckpt_num)]
    words += ["--use_tensorboard", str(folder / TENSORBOARD), "--l2", str(spec.l2)]
    if spec.flash_attn is not False:
        words.append("--flash_attn")
    words += ["--seed", str(spec.seed)]
    if spec.lora is not None:
        words += ["--lora_rank", str(spec.lora.rank), "--lora_alpha", str(spec.lora.alpha)]
        words += ["--lora_dropout", str(spec.lora.dropout)]
        words += ["--target_modules", *spec.lora.target_modules]
    if spec.task_instruction is not None:
        words += ["--task_instruction", spec.task_instruction]
    return words


def _check_batch(spec: TrainingSpec) -> Check:
    least = spec.micro_train_batch_size * spec.processes
    if spec.train_batch_size % least:
        return Check(
            "Batch",
            Level.FAIL,
            f"train_batch_size {spec.train_batch_size} is no multiple of micro_train_batch_size "
            f"{spec.micro_train_batch_size} x {spec.processes} GPUs",
            Hint("{fits}", fits=Field("train_batch_size", max(least, spec.train_batch_size // least * least))),
        )
    return Check(
        "Batch",
        Level.OK,
        f"{spec.train_batch_size} rows a step: {spec.micro_train_batch_size} (micro batch) x "
        f"{spec.processes} (GPUs) x {spec.gradient_accumulation_steps} (accumulated)",
    )


def _check_checkout(home: Path) -> Check:
    if all((home / known).is_file() for known in (_TRAINER, _STRATEGY)):
        return Check("LightRFT", Level.OK, str(home))
    return Check(
        "LightRFT",
        Level.WARN,
        f"{home}; its trainer is not where Winnow knows it to be",
        "how it counts batches and resumes is up to that checkout",
    )


def _check_mixed(spec: TrainingSpec) -> list[Check]:
    """Under ZeRO-3 all processes gather the vision tower's weights together, each time one uses it. A
    micro batch of both kinds uses it twice, one of a single kind once: then some wait for ever."""
    kinds = {kind for ref in spec.sets for kind in ref.kinds}
    together = spec.micro_train_batch_size > 1 and spec.processes > 1 and spec.zero_stage == 3
    if len(kinds) < 2 or not together:
        return []
    return [
        Check(
            "Mixed",
            Level.FAIL,
            "images and videos in one micro batch can stop several GPUs for ever under ZeRO-3",
            Hint("{micro_train_batch_size:1}, or {zero_stage:2}"),
        )
    ]


def _check_unread(spec: TrainingSpec) -> list[Check]:
    """What was asked for, and LightRFT's script has no option for."""
    checks = []
    if spec.max_steps is not None:
        checks.append(
            Check(
                "Steps",
                Level.FAIL,
                f"LightRFT knows no max_steps {spec.max_steps}: it trains whole epochs",
                Hint("leave {max_steps} out, and {preset:smoke}, which sets it; or train on a small set"),
            )
        )
    if spec.max_norm != MAX_NORM:
        checks.append(
            Check(
                "Gradients",
                Level.FAIL,
                f"LightRFT knows no max_norm {spec.max_norm:g}: it clips gradients to {MAX_NORM:g}",
                Hint("leave {max_norm} out"),
            )
        )
    return checks


def _check_rows(spec: TrainingSpec, files: Sequence[DataFile]) -> None:
    rows = sum(file.rows for file in files if not file.validation)
    if files and not steps_per_epoch(spec, rows):
        raise TrainingError(
            f"{rows} rows do not fill one step of train_batch_size {spec.train_batch_size}",
            hint=Hint("start another training with a lower {train_batch_size}, or on more rows"),
        )


LIGHTRFT = TrainerKind(
    name="lightrft",
    label="on GPUs",
    purpose="Trains by LightRFT's own script, from its checkout in LIGHTRFT_HOME.",
    load=lambda tools: LightRFTTrainer(tools.python_for("lightrft"), tools.lightrft_home),
    unsupported_options=frozenset({"max_steps", "max_norm", "data_format"}),
    words={
        "prompt_max_len": "ignored: it trains on every row whole, whatever its length",
        "validation": "share of pairs held out; it counts how many of them it answers right, in "
        "TensorBoard as eval/accuracy, and draws no curve of their loss",
    },
    needs_gpu=True,
    shards=True,
    drops_last=True,
    reads_script_variables=True,
)
