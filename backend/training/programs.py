"""Trainers that people have besides ours: their command lines, and what each needs of a judge.

Both were run on exports of ours (LLaMA-Factory 0.9.5, ms-swift 4.6.0): at the first step, the loss of a
judge on its own texts is that of inference, plus the newline behind its last token, which both learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.domain.preflight import Check, Level
from backend.engines.chat_form import chat_form
from backend.engines.models import image_token_id, model_type
from backend.export.formats import FORMATS
from backend.hints import Hint
from backend.training.spec import TrainingSpec

_SWIFT_IMAGE_TOKENS = (151_655, 248_056)
"""Written into ms-swift's templates for Qwen-VL; it looks for images nowhere else."""

_OF_FAMILY = ("{model_type}", "{llamafactory_template}", "{swift_template}")
_LLAMAFACTORY_TEMPLATES = {"qwen2_5_vl": "qwen2_vl", "qwen3_vl": "qwen3_vl_nothink", "qwen3_vl_moe": "qwen3_vl_nothink"}
_SWIFT_TEMPLATES = {"qwen3_vl_moe": "qwen3_vl"}


@dataclass(frozen=True, slots=True)
class Example:
    """A command that is known to fit, to start from.

    Attributes:
        data_format: In which that program reads the sets.
    """

    template: str
    data_format: str


EXAMPLES = {
    "LLaMA-Factory": Example(
        "llamafactory-cli train --stage sft --do_train true --model_name_or_path {model} "
        "--dataset_dir {data_dir} --dataset {dataset} --template {llamafactory_template} "
        "--finetuning_type full --output_dir {output} --learning_rate {actor_learning_rate} "
        "--num_train_epochs {max_epochs} --max_steps {max_steps} "
        "--per_device_train_batch_size {micro_train_batch_size} "
        "--gradient_accumulation_steps {gradient_accumulation_steps} "
        "--lr_scheduler_type cosine --warmup_ratio {lr_warmup_ratio} --cutoff_len {prompt_max_len} "
        "--image_max_pixels {max_pixels} --video_max_pixels {max_pixels} --video_fps {fps} "
        "--video_maxlen 768 --save_steps {save_steps} --save_total_limit {max_ckpt_num} "
        "--logging_steps 1 --bf16 {bf16} --seed {seed} --report_to none",
        "sharegpt-frames",
    ),
    "ms-swift": Example(
        "swift sft --model {model} --model_type {model_type} --template {swift_template} "
        "--dataset {data_files} --split_dataset_ratio 0 --tuner_type full --output_dir {output} "
        "--add_version false --learning_rate {actor_learning_rate} "
        "--num_train_epochs {max_epochs} --max_steps {max_steps} "
        "--per_device_train_batch_size {micro_train_batch_size} "
        "--gradient_accumulation_steps {gradient_accumulation_steps} "
        "--warmup_ratio {lr_warmup_ratio} --max_length {prompt_max_len} "
        """--model_kwargs '{"max_pixels": {max_pixels}, "video_max_pixels": {max_pixels}, """
        """"video_min_pixels": 3136, "fps": {fps}, "fps_min_frames": 2}' """
        "--save_steps {save_steps} --save_total_limit {max_ckpt_num} --logging_steps 1 "
        "--torch_dtype {torch_dtype} --seed {seed} --report_to none",
        "sharegpt-frames",
    ),
}
"""Full fine-tuning, because a judge is loaded from a whole model folder; adapters have to be merged
first."""


def program_places(spec: TrainingSpec) -> dict[str, str]:
    """What these programs want to be told besides the numbers of the spec."""
    kind = model_type(spec.model)
    bf16 = spec.bf16 == "yes" or (spec.bf16 == "auto" and spec.device != "cpu")
    return {
        "model_type": kind,
        "llamafactory_template": _LLAMAFACTORY_TEMPLATES.get(kind, kind),
        "swift_template": _SWIFT_TEMPLATES.get(kind, kind),
        "bf16": str(bf16).lower(),
        "torch_dtype": "bfloat16" if bf16 else "float32",
    }


def program_checks(spec: TrainingSpec) -> Iterator[Check]:
    """Where one of these programs would train on something else than the judge was shown."""
    named = {place for word in spec.command for place in _OF_FAMILY if place in word}
    if named and not model_type(spec.model):
        yield Check(
            "Model",
            Level.FAIL,
            f"what family {spec.model} is of cannot be told here",
            f"write it in place of {min(named)}, for instance qwen2_5_vl",
        )
    token = image_token_id(spec.model)
    if Path(spec.command[0]).name == "swift" and token not in (None, *_SWIFT_IMAGE_TOKENS):
        yield Check(
            "Media",
            Level.FAIL,
            f"ms-swift knows images by Qwen's own token {_SWIFT_IMAGE_TOKENS[0]}, this model by {token}: "
            "it would train without looking",
            "another trainer, or a judge with Qwen's vocabulary",
        )
    format = FORMATS[spec.data_format]
    for kind in sorted({kind for ref in spec.sets for kind in ref.kinds} - set(format.kinds)):
        yield Check("Format", Level.FAIL, f"format {format.name} holds no {kind.value}s", "--data-format with another")
    if format.one_turn and chat_form(spec.model).between_users is None:
        yield Check(
            "Turns",
            Level.WARN,
            "the model's chat template is not known here, so both media stand in one turn; a judge is asked with two",
            Hint("give {model} a folder that has its chat_template"),
        )
