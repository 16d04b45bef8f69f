"""Loading the judge that is trained, and writing it as a folder that engines load."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from backend.engines.chat import one_line
from backend.errors import TrainerUnavailable, TrainingError
from backend.files import copy_new, make_folder, write_json
from backend.foreign_text import brief
from backend.hints import Hint
from backend.training.spec import TrainingSpec

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
_LORA_PREFIX = "base_model.model."


class Judge:
    """The model in training with its processor, adapters included.

    Args:
        device: Such as ``cuda:0``.
        bf16: Compute in bfloat16; weights that are trained stay float32.

    Raises:
        TrainerUnavailable: A package is missing.
        TrainingError: The folder is no model that transformers knows.
    """

    def __init__(self, spec: TrainingSpec, device: str, *, bf16: bool) -> None:
        try:
            import torch
            from transformers import AutoModelForImageTextToText, AutoProcessor
        except ImportError as error:
            raise TrainerUnavailable(
                f"the local trainer cannot be imported ({brief(error)})", hint="pip install '.[train]'"
            ) from error
        self._torch = torch
        self._source = spec.model
        local = Path(spec.model).is_dir()
        frozen = torch.bfloat16 if bf16 and spec.lora else torch.float32
        attention = {"attn_implementation": "flash_attention_2"} if spec.flash_attn else {}
        try:
            self.processor: Any = AutoProcessor.from_pretrained(spec.model, local_files_only=local)
            model: Any = AutoModelForImageTextToText.from_pretrained(
                spec.model, dtype=frozen, local_files_only=local, **attention
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise TrainingError(
                f"{spec.model}: cannot be loaded ({one_line(error)})",
                hint="give a folder of a Qwen2-VL, Qwen2.5-VL or Qwen3-VL model",
            ) from error
        self._dtype = _stored_dtype(torch, model, Path(spec.model))
        if spec.gradient_checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        self._base = model
        self.model: Any = _with_adapters(model, spec) if spec.lora else model
        self.model.to(device).train()
        self._keeps_logits = "logits_to_keep" in inspect.signature(model.forward).parameters

    @property
    def trained(self) -> dict[str, Any]:
        """The parameters that are trained, by name."""
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    def logits(self, inputs: dict[str, Any], keep: int) -> Any:
        """Logits of the last ``keep`` positions, ``[B, keep, V]``; the others are never computed."""
        if self._keeps_logits:
            return self.model(**inputs, logits_to_keep=keep, use_cache=False).logits
        return self.model(**inputs, use_cache=False).logits[:, -keep:]

    def save(self, folder: Path) -> None:
        """Write the whole judge, adapters merged, in the dtype of the model it came from.

        Raises:
            TrainingError: Weights that were trained are no numbers any more, in that dtype.
        """
        make_folder(folder)
        source = Path(self._source)
        if source.is_dir():
            for path in sorted(source.iterdir()):
                if path.is_file() and _belongs(path):
                    copy_new(path, folder / path.name)
        else:
            self.processor.save_pretrained(folder)
        self._base.save_pretrained(folder, state_dict=self._weights())
        _say_dtype(folder / "config.json", type(self._base).__name__, self._dtype)

    def _weights(self) -> dict[str, Any]:
        torch = self._torch
        tied = set(getattr(self._base, "all_tied_weights_keys", None) or ())
        weights: dict[str, Any] = {}
        trained = set(self.trained)
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                plain = name.removeprefix(_LORA_PREFIX).replace(".base_layer", "")
                if "lora_" not in plain and plain not in tied:
                    weights[plain] = value.detach()
            for path, module in self.model.named_modules():
                if hasattr(module, "get_delta_weight") and hasattr(module, "base_layer"):
                    name = f"{path.removeprefix(_LORA_PREFIX)}.weight"
                    # Not in place: merging and taking apart again would round the frozen weights.
                    weights[name] = weights[name].float() + module.get_delta_weight("default")
                    trained.add(name)
            saved = {
                name: (value.to(self._dtype) if value.is_floating_point() else value).cpu().contiguous().clone()
                for name, value in weights.items()
            }
            # No loss tells of the last step's: it is that of the weights before it.
            for name in trained & saved.keys():
                if not torch.isfinite(saved[name]).all():
                    raise TrainingError(
                        f"the trained weights are not numbers any more ({name})",
                        hint=Hint("lower {actor_learning_rate} and start another training"),
                    )
            return saved


def _with_adapters(model: Any, spec: TrainingSpec) -> Any:
    assert spec.lora is not None
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise TrainerUnavailable(
            f"LoRA needs peft ({brief(error)})", hint=Hint("pip install '.[train]', or train without {lora}")
        ) from error
    config = LoraConfig(
        r=spec.lora.rank,
        lora_alpha=spec.lora.alpha,
        lora_dropout=spec.lora.dropout,
        target_modules=list(spec.lora.target_modules),
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise TrainingError(
            f"LoRA does not fit this model ({one_line(error)})",
            hint=Hint("name modules that the model has with {lora_target_modules}"),
        ) from error


def _belongs(path: Path) -> bool:
    """Tokenizer, processor, template and generation files; not weights, nor what a trainer left."""
    if path.suffix in _WEIGHTS or path.name.endswith((".index.json", ".partial")):
        return False
    return path.name not in ("config.json", "trainer_state.json", "training_args.txt")


def _stored_dtype(torch: Any, model: Any, source: Path) -> Any:
    """The dtype of the weights as they were found."""
    said = getattr(model.config, "dtype", None)
    files = sorted(source.glob("*.safetensors"))
    if files:
        from safetensors import safe_open

        with safe_open(files[0], framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a dictionary
                return file.get_tensor(name).dtype
    return said if isinstance(said, torch.dtype) else torch.bfloat16


def _say_dtype(path: Path, architecture: str, dtype: Any) -> None:
    """Name class and dtype in the configuration: vLLM chooses by the one, loaders by the other."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["architectures"] = [architecture]
    config["dtype"] = str(dtype).removeprefix("torch.")
    for part in ("text_config", "vision_config"):
        if isinstance(config.get(part), dict):
            config[part].pop("dtype", None)
    write_json(path, config)
