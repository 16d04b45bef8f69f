"""What a model's folder tells without loading it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json
from backend.domain.pairs import MediaKind
from backend.errors import EngineError

QWEN2_FACTOR = 28
"""Pixels of one token's side in Qwen2-VL and Qwen2.5-VL: patches of 14, merged two by two."""

QWEN3_FACTOR = 32
"""The same in Qwen3-VL, whose patches are 16 pixels wide."""

_FAMILIES = ("qwen2_5_vl", "qwen2_vl", "qwen3_vl")
_HINT = "give the folder that save_pretrained wrote"


def check_model(model: str) -> None:
    """Refuse what is plainly no model, before a process is started or a GPU is taken for it.

    Raises:
        EngineError: A local path without a readable ``config.json``, or a path that does not exist.
    """
    if not model.strip():
        raise EngineError("no model was given", hint=f"{_HINT}, or a hub name")
    path = Path(model)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise EngineError(f"{model} is no model: it has no config.json", hint=_HINT)
        if not isinstance(_read(path / "config.json").get("model_type"), str):
            raise EngineError(f"{model} is no model: its config.json names no model", hint=_HINT)
        return
    hub_name = model.count("/") == 1 and not model.startswith((".", "/", "~"))
    if path.exists() or not hub_name:
        raise EngineError(f"{model} is no model", hint="give a model's folder, or its hub name as ORGANISATION/NAME")


def model_type(model: str) -> str:
    """What transformers calls the architecture, such as ``qwen2_5_vl``; of a hub name, what the family
    in it says. Empty where nothing tells."""
    if Path(model).is_dir():
        return str(_read(Path(model) / "config.json").get("model_type") or "")
    name = re.sub(r"[-.]", "_", model.lower())
    return next((family for family in _FAMILIES if family in name), "")


def image_token_id(model: str) -> int | None:
    """The token that stands for an image, in the model's folder; ``None`` where it is not said."""
    found = _read(Path(model) / "config.json").get("image_token_id")
    return found if isinstance(found, int) else None


def pixel_factor(model: str) -> int:
    """The number that the sides of an image are multiples of, for the model that looks at it.

    Read from the folder's processor configuration; a hub name is told by the family in it.
    """
    folder = Path(model)
    if folder.is_dir():
        processor = _read(folder / "preprocessor_config.json")
        patch, merge = processor.get("patch_size"), processor.get("merge_size")
        if isinstance(patch, int) and isinstance(merge, int) and patch > 0 and merge > 0:
            return patch * merge
        model = str(_read(folder / "config.json").get("model_type", ""))
    name = model.lower().replace("_", "-")
    return QWEN3_FACTOR if "qwen3" in name else QWEN2_FACTOR


def pixel_limit(model: str, kind: MediaKind) -> int | None:
    """The most pixels of an image, or of a video's frame, that a model's own processor lets through.

    Returns:
        ``None`` where no folder says it, as for a hub name.
    """
    name = "preprocessor_config.json"
    names = (name,) if kind is MediaKind.IMAGE else (f"video_{name}", name)
    for found in (_read(Path(model) / name) for name in names):
        size = found.get("size")
        for limit in (found.get("max_pixels"), size.get("longest_edge") if isinstance(size, dict) else None):
            if isinstance(limit, int) and limit > 0:
                return limit
    return None


def _read(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is none to read."""
    try:
        value = load_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
