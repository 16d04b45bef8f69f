"""Whether a run would work, asked before it is started."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from backend.domain.pairs import OrderPolicy
from backend.domain.preflight import Check, Level
from backend.engines.models import check_model
from backend.engines.registry import AUTO, ENGINES, loads_model, resolve_engine
from backend.errors import NotFound, WinnowError
from backend.inference.launch import RunRequest, check_device, default_order, devices_of, judged_pairs
from backend.jobs.gpus import Gpu, gpus_for, list_gpus
from backend.store.database import Database
from backend.store.datasets import DatasetRow, Datasets
from backend.store.sizes import text_size

_GB = 1e9
_ROW_BYTES = 900  # verdict, keys and indexes of one prediction
_CHARACTERS_PER_TOKEN = 4


def preflight(database: Database, folder: Path, pythons: Mapping[str, str], request: RunRequest) -> list[Check]:
    """Look at everything that can be known before a run starts. Nothing is loaded.

    Args:
        folder: The workspace's.
        pythons: Interpreter of each engine that has one of its own.
    """
    checks = []
    dataset, check = _dataset(database, request)
    checks.append(check)
    if dataset is not None and dataset.status == "ready":
        checks += _media(dataset)
    engine, check = _engine(request, pythons)
    checks.append(check)
    if engine is not None:
        checks += _model(request, engine)
        checks += _device(request, engine)
    if dataset is not None:
        checks.append(_disk(database, folder, dataset, request))
    return checks


def predictions_wanted(dataset: DatasetRow, request: RunRequest) -> int:
    """How many predictions the run would make."""
    order = request.order or default_order(dataset.source)
    orders = 2 if order is OrderPolicy.BOTH else 1
    return judged_pairs(dataset, request.limit) * orders * request.samples


def _dataset(database: Database, request: RunRequest) -> tuple[DatasetRow | None, Check]:
    try:
        dataset = Datasets(database).get(request.dataset)
    except NotFound as error:
        return None, _stop("Dataset", error)
    if dataset.status != "ready":
        return dataset, Check(
            "Dataset",
            Level.FAIL,
            f"{dataset.name} is not ready ({dataset.status})",
            "wait for the import, or add it again",
        )
    wanted = predictions_wanted(dataset, request)
    return dataset, Check(
        "Dataset", Level.OK, f"{judged_pairs(dataset, request.limit):,} pairs, {wanted:,} predictions"
    )


def _media(dataset: DatasetRow) -> list[Check]:
    broken = dataset.unusable
    if not broken:
        return []
    if not dataset.judgeable:
        return [
            Check(
                "Media",
                Level.FAIL,
                "no pair has two media that can be opened",
                "see the dataset's report; when they can, add the same files again",
            )
        ]
    lack = "1 pair lacks" if broken == 1 else f"{broken:,} pairs lack"
    return [
        Check(
            "Media",
            Level.WARN,
            f"{lack} a medium that can be opened",
            "they will be listed as failed; the others are judged",
        )
    ]


def _engine(request: RunRequest, pythons: Mapping[str, str]) -> tuple[str | None, Check]:
    name = request.engine
    if name in pythons:
        return name, Check("Engine", Level.OK, f"{name}, under {pythons[name]}")
    try:
        found = resolve_engine(name, model=request.model, options=request.options)
    except WinnowError as error:
        return None, _stop("Engine", error)
    return found.name, Check("Engine", Level.OK, f"{found.name}: {found.why}")


def _model(request: RunRequest, engine: str) -> list[Check]:
    if not loads_model(engine):
        return []
    try:
        check_model(request.model)
    except WinnowError as error:
        return [_stop("Model", error)]
    size = model_bytes(request.model)
    if size is None:
        return [
            Check(
                "Model",
                Level.WARN,
                "a name on the hub, not a folder here",
                "the engine looks for it in its cache, then downloads it",
            )
        ]
    return [Check("Model", Level.OK, f"{size / _GB:.2f} GB of weights")]


def model_bytes(model: str) -> int | None:
    """Size of a model folder's weights; ``None`` for a name on the hub."""
    folder = Path(model)
    if not folder.is_dir():
        return None
    files = [*folder.glob("*.safetensors")] or [*folder.glob("*.bin")]
    return sum(file.stat().st_size for file in files)


def _device(request: RunRequest, engine: str) -> list[Check]:
    try:
        check_device(engine, request.options)
    except WinnowError as error:
        return [_stop("Device", error)]
    devices = devices_of(engine, request.options)
    if not devices:
        return []
    if devices == "cpu":
        return [Check("Device", Level.OK, "CPU")]
    gpus = list_gpus()
    if gpus is None:
        return [
            Check(
                "Device",
                Level.WARN,
                f"{devices}; the GPUs cannot be asked for their memory",
                "pip install nvidia-ml-py, on a machine with NVIDIA's driver",
            )
        ]
    return [_memory(request, devices, gpus)]


def _memory(request: RunRequest, devices: str, gpus: list[Gpu]) -> Check:
    used = gpus_for(devices, gpus, os.environ)
    wanted = request.options.tensor_parallel_size
    if len(used) < wanted:
        return Check("Device", Level.FAIL, f"tensor_parallel_size {wanted}, but {len(used)} GPUs")
    text = "; ".join(f"{gpu.index}: {gpu.name}, {gpu.free / _GB:.0f} of {gpu.total / _GB:.0f} GB free" for gpu in used)
    share = (model_bytes(request.model) or 0) / wanted
    least = min(gpu.free for gpu in used)
    if share > least:
        return Check(
            "Device",
            Level.WARN,
            text,
            f"the weights alone take {share / _GB:.0f} GB of each; free some, or use more GPUs",
        )
    kind = ENGINES.known(request.engine)
    if request.engine == AUTO or (kind and kind.claims_memory):
        claim = request.options.gpu_memory_utilization
        name = "vLLM" if request.engine == AUTO else request.engine
        short = [gpu for gpu in used if gpu.free < claim * gpu.total]
        if short:
            return Check(
                "Device", Level.WARN, text, f"{name} would claim {claim:.0%} of it; lower gpu_memory_utilization"
            )
    return Check("Device", Level.OK, text)


def _disk(database: Database, folder: Path, dataset: DatasetRow, request: RunRequest) -> Check:
    size = text_size(database, dataset.id)
    if size is None:
        size = min(request.options.max_new_tokens, 600) * _CHARACTERS_PER_TOKEN
    needed = predictions_wanted(dataset, request) * (size + _ROW_BYTES)
    free = shutil.disk_usage(folder).free
    text = f"about {_size(needed)} of {_size(free)} free"
    if needed > 0.9 * free:
        return Check("Disk", Level.WARN, text, "free some space, or set a limit")
    return Check("Disk", Level.OK, text)


def _size(count: float) -> str:
    return f"{count / _GB:.1f} GB" if count >= _GB else f"{count / 1e6:.0f} MB"


def _stop(name: str, error: WinnowError) -> Check:
    return Check(name, Level.FAIL, error.message, error.hint)
