"""Looking at a machine before something is started on it: packages, ports, GPUs, disk."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.domain.devices import shown_gpus
from backend.domain.preflight import Check, Level
from backend.engines.installed import has_gpu
from backend.errors import UsageError
from backend.hints import Hint
from backend.jobs.gpus import gpus_for, list_gpus
from backend.training.registry import kind_of
from backend.training.spec import TrainingSpec
from backend.training.weights import tensors_of

_PROBE = (
    "import importlib.util, json, sys\n"
    "found = [n for n in sys.argv[1:] if importlib.util.find_spec(n) is None]\n"
    "print(json.dumps(found))"
)
_VERSIONS = (
    "import importlib.metadata as m, importlib.util, json, platform, sys\n"
    "def version(n):\n"
    "    try: return m.version(n)\n"
    "    except m.PackageNotFoundError: return '' if importlib.util.find_spec(n) else None\n"
    "print(json.dumps({'python': platform.python_version(), **{n: version(n) for n in sys.argv[1:]}}))"
)
_GB = 1e9


def check_packages(python: str, packages: Sequence[str], *, hint: Hint | str, name: str = "Interpreter") -> Check:
    """Whether an interpreter has some packages; nothing is imported there."""
    missing = _ask(python, _PROBE, packages)
    if isinstance(missing, str):
        return Check(name, Level.FAIL, missing, hint)
    if missing:
        return Check(name, Level.FAIL, f"{python} lacks {', '.join(missing)}", hint)
    return Check(name, Level.OK, f"{python} has {', '.join(packages)}")


def versions_in(python: str, packages: Sequence[str]) -> dict[str, str | None] | str:
    """The versions of some packages in an interpreter, and its own as ``python``.

    Returns:
        ``None`` for a package that is missing and ``""`` for one that does not say; or one line on why
        the interpreter cannot be asked.
    """
    found: dict[str, str | None] | str = _ask(python, _VERSIONS, packages)
    return found


def _ask(python: str, program: str, words: Sequence[str]) -> Any:
    """The JSON that a short program prints last, or one line on why there is none."""
    try:
        done = subprocess.run(  # noqa: S603 - a list, and the interpreter is the operator's setting
            [python, "-c", program, *words], capture_output=True, text=True, timeout=60, check=True
        )
        return json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        return f"{python} is no Python (exit code {error.returncode})"
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        return f"{python} cannot be asked ({str(error).splitlines()[0]})"


def check_port(spec: TrainingSpec) -> Check:
    """Whether the processes of a training can meet at their port, where it is this machine's."""
    if spec.node_rank != 0:
        return Check("Port", Level.OK, f"{spec.master_addr}:{spec.master_port} is another node's")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", spec.master_port))
        except OSError:
            return Check(
                "Port",
                Level.FAIL,
                f"port {spec.master_port} is taken",
                Hint("another {master_port}; {free} is free", free=free_port()),
            )
    return Check("Port", Level.OK, f"port {spec.master_port} is free")


def free_port() -> int:
    """Some port that is free now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def check_gpus(devices: str, wanted: int, weights: int | None, spec: TrainingSpec) -> Check:
    """GPUs and memory, as far as they can be asked.

    Args:
        devices: The device set that the training will hold.
        wanted: GPUs on this node.
        weights: Bytes of the model's weights; ``None`` when unknown.
    """
    if devices == "cpu" and kind_of(spec).needs_gpu:
        return Check(
            "Device",
            Level.FAIL,
            f"{spec.trainer} trains on NVIDIA GPUs alone, and the device is cpu",
            Hint("{device:cuda}, or {trainer:local}"),
        )
    if devices in ("", "cpu"):
        return Check("Device", Level.OK, "CPU")
    gpus = list_gpus()
    if gpus is None and not has_gpu():
        return Check("Device", Level.FAIL, "there is no NVIDIA GPU here", Hint("{device:cpu}, with {trainer:local}"))
    if gpus is None:
        return Check(
            "Device",
            Level.WARN,
            f"{devices}; the GPUs cannot be asked for their memory",
            "pip install nvidia-ml-py, on a machine with NVIDIA's driver",
        )
    try:
        shown_gpus(devices, os.environ, lambda: {gpu.index: gpu.uuids for gpu in gpus})
    except UsageError as error:
        return Check("Device", Level.FAIL, error.message, error.hint)
    used = gpus_for(devices, gpus, os.environ)
    if len(used) < wanted:
        return Check(
            "Device", Level.FAIL, f"{wanted} GPUs are wanted, {len(used)} are there", Hint("lower {gpus_per_node}")
        )
    text = "; ".join(f"{gpu.index}: {gpu.name}, {gpu.free / _GB:.0f} of {gpu.total / _GB:.0f} GB free" for gpu in used)
    needed = bytes_needed(weights, spec)
    if needed is not None and needed > min(gpu.free for gpu in used):
        return Check(
            "Device",
            Level.WARN,
            text,
            Hint(
                "weights, gradients and optimizer alone take about {needed} GB of each: {lora}, more GPUs under "
                "LightRFT with {zero_stage:3}, or a smaller model",
                needed=f"{needed / _GB:.0f}",
            ),
        )
    return Check("Device", Level.OK, text)


def bytes_needed(weights: int | None, spec: TrainingSpec) -> float | None:
    """Memory of weights, gradients and Adam's two moments on each device, without activations.

    From 2-byte weights on disk: 16 bytes a parameter for full training in mixed precision; ZeRO
    divides optimizer (1), gradients (2) and weights (3) by the devices (Rajbhandari et al. 2020).
    """
    if weights is None:
        return None
    parameters = weights / 2
    if spec.lora is not None:
        return 2.1 * parameters
    if not kind_of(spec).shards:
        return 16 * parameters
    kept = {0: 16.0, 1: 4.0, 2: 2.0, 3: 0.0}[spec.zero_stage]
    return parameters * (kept + (16 - kept) / spec.processes)


def check_disk(folder: Path, weights: int | None, spec: TrainingSpec) -> Check:
    """Whether the checkpoints fit: weights of each, and full training's float32 weights and moments."""
    above = folder
    while not above.exists():
        above = above.parent
    free = shutil.disk_usage(above).free
    if weights is None:
        return Check("Disk", Level.OK, f"{free / _GB:.1f} GB free")
    state = 0.1 if spec.lora is not None else 6
    needed = weights * ((spec.max_ckpt_num + 1) * (1 + state) + 1)
    text = f"about {needed / _GB:.1f} GB of {free / _GB:.1f} GB free"
    if needed > free:
        return Check("Disk", Level.FAIL, text, Hint("lower {max_ckpt_num}, use {lora}, or another {output_dir}"))
    return Check("Disk", Level.OK, text)


def module_names(model: Path) -> frozenset[str]:
    """Names of the modules with weights in a model's folder; none where they cannot be read."""
    names: set[str] = set()
    for path in model.glob("*.safetensors"):
        with contextlib.suppress(OSError, ValueError):
            names |= tensors_of(path).keys()
    return frozenset(name.rpartition(".")[0] for name in names)
