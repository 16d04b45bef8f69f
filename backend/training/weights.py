"""Whether the weights in a folder are all there, as far as the files themselves tell.

For folders that others write, in place: what was killed there, or found the disk full, leaves a
``config.json`` and a part of the weights under their final names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json

INDEX = "model.safetensors.index.json"
_MAX_HEADER = 100 * 2**20


def tensors_of(path: Path) -> dict[str, Any]:
    """The tensors that a ``.safetensors`` file says it holds, by name.

    Raises:
        OSError: It cannot be read.
        ValueError: Its header is not there whole.
    """
    return _header(path)[1]


def has_whole_weights(folder: Path) -> bool:
    """Whether each file of weights is there in its full size; of shards, all that their index names."""
    try:
        files = set(folder.glob("*.safetensors"))
        # Written after the shards, and nothing loads them without it.
        sharded = any("-of-" in path.name for path in files)
        if sharded or (folder / INDEX).exists():
            index = load_json((folder / INDEX).read_text(encoding="utf-8"))
            files |= {folder / name for name in index["weight_map"].values()}
        return bool(files) and all(_is_whole(path) for path in files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _is_whole(path: Path) -> bool:
    start, tensors = _header(path)
    ends = (tensor["data_offsets"][1] for tensor in tensors.values())
    return path.stat().st_size >= start + max(ends, default=0)


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Where the data begin, and what stands before: the length of a JSON header (uint64, little
    endian), and that header."""
    with path.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > _MAX_HEADER:
            raise ValueError(f"{path} is no .safetensors file")
        header = load_json(stream.read(length))
    if not isinstance(header, dict):
        raise ValueError(f"{path} is no .safetensors file")
    header.pop("__metadata__", None)
    return 8 + length, header
