"""Checkpoints that are there whole or not at all: the judge, and the state to go on from.

A folder is written under ``step-N.partial`` and renamed; ``trainer_state.json`` in it is written last
and lists every file with its size, so that one which lost its tail (a full disk, a copy that was cut
off) is told from a whole one and passed over.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Any

from backend.errors import TrainingError
from backend.files import make_folder
from backend.foreign_text import brief
from backend.hints import Hint
from backend.training.base import Checkpoint
from backend.training.folder import FINAL, read_json, write_whole
from backend.training.local.model import Judge

log = logging.getLogger(__name__)

STATE = "trainer_state.json"
_TENSORS = "trainer_state.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def whole_checkpoints(folder: Path) -> list[Checkpoint]:
    """The whole checkpoints of a training's folder, oldest first; the final one last."""
    found = [
        Checkpoint(path, int(path.name.removeprefix("step-")), final=False)
        for path in (folder / "checkpoints").glob("step-*")
        if path.name.removeprefix("step-").isdigit() and is_whole(path)
    ]
    found.sort(key=lambda checkpoint: checkpoint.step or 0)
    if is_whole(folder / FINAL):
        step = read_json(folder / FINAL / STATE).get("step")
        found.append(Checkpoint(folder / FINAL, step, final=True))
    return found


def is_whole(path: Path) -> bool:
    """Whether everything that was written is still there, in its full size."""
    sizes = read_json(path / STATE).get("files")
    if not isinstance(sizes, dict) or not sizes:
        return False
    try:
        return all((path / name).stat().st_size == size for name, size in sizes.items())
    except OSError:
        return False


def save(folder: Path, judge: Judge, optimizer: Any | None, step: int, keep: int) -> Path:
    """Write a checkpoint after ``step`` steps; without an optimizer, the final judge.

    Args:
        keep: How many checkpoints stay; older ones go once the new one is whole, and with them what
            was cut off.

    Raises:
        TrainingError: The disk is full, or the weights are no numbers. The checkpoints before it stay.
    """
    target = folder / FINAL if optimizer is None else folder / "checkpoints" / f"step-{step:06d}"
    partial = target.with_name(target.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        make_folder(partial, below=folder)
        judge.save(partial)
        if optimizer is not None:
            _save_state(partial / _TENSORS, judge, optimizer)
        _sync(partial)
        write_whole(partial / STATE, {"step": step, "files": _sizes(partial)})
        shutil.rmtree(target, ignore_errors=True)
        os.replace(partial, target)
    except TrainingError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    except (OSError, RuntimeError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        # safetensors reports a full disk as an error of its own.
        raise TrainingError(
            f"{target}: the checkpoint cannot be written ({brief(error)})",
            hint=Hint("free some space, then {RESUME_TRAINING}; the checkpoint before it is whole"),
        ) from error
    if optimizer is not None:
        _prune(folder, keep)
    return target


def load_newest(folder: Path, judge: Judge, optimizer: Any) -> int:
    """Put the newest whole checkpoint into the model and the optimizer; returns the steps done."""
    for path in (folder / "checkpoints").glob("*.partial"):
        shutil.rmtree(path, ignore_errors=True)
    whole = [checkpoint for checkpoint in whole_checkpoints(folder) if not checkpoint.final]
    for path in sorted((folder / "checkpoints").glob("step-*")):
        if path not in [checkpoint.path for checkpoint in whole]:
            log.warning("%s is cut off and is passed over", path)
    if not whole:
        return 0
    _load_state(whole[-1].path / _TENSORS, judge, optimizer)
    log.info("going on from %s", whole[-1].path)
    return whole[-1].step or 0


def _save_state(path: Path, judge: Judge, optimizer: Any) -> None:
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    for name, parameter in judge.trained.items():
        tensors[f"weight.{name}"] = parameter.detach().cpu().clone()
        for moment in _MOMENTS:
            value = optimizer.state[parameter].get(moment)
            if value is not None:
                tensors[f"{moment}.{name}"] = value.detach().cpu().clone()
    save_file(tensors, path)


def _load_state(path: Path, judge: Judge, optimizer: Any) -> None:
    import torch
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file, torch.no_grad():
        there = set(file.keys())
        for name, parameter in judge.trained.items():
            parameter.copy_(file.get_tensor(f"weight.{name}"))
            for moment in _MOMENTS:
                if f"{moment}.{name}" in there:
                    value = file.get_tensor(f"{moment}.{name}")
                    # AdamW keeps its count of steps on the CPU.
                    device = "cpu" if moment == "step" else parameter.device
                    optimizer.state[parameter][moment] = value.to(device)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def _prune(folder: Path, keep: int) -> None:
    whole = [checkpoint for checkpoint in whole_checkpoints(folder) if not checkpoint.final]
    kept = {checkpoint.path for checkpoint in whole[-keep:]}
    for path in (folder / "checkpoints").glob("step-*"):
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)
