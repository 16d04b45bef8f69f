"""Where any interpreter finds this package, and nothing that is merely installed beside it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from backend.files import make_folder

_ROOT = Path(__file__).resolve().parents[2]
_OURS = ("backend", "dashboard")


def python_path(folder: Path, root: Path = _ROOT) -> str:
    """A ``PYTHONPATH`` with Winnow's own packages first and this process's own behind.

    Not ``root`` itself: an installed Winnow lies among all packages of its interpreter, and another one,
    with a vLLM or a LightRFT of other pins, would take Pillow, NumPy or torch from there.

    Args:
        folder: The workspace's; links to our packages are kept in it.
        root: Where our packages lie.
    """
    links = folder.absolute() / ".packages"
    make_folder(links, below=folder)
    for name in _OURS:
        link, target = links / name, root / name
        if link.is_symlink() and link.readlink() == target:
            continue
        # Made aside and moved: another process may be importing from here.
        made = links / f"{name}.{secrets.token_hex(4)}.partial"
        made.symlink_to(target)
        made.replace(link)
    before = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    return os.pathsep.join([str(links), *(part for part in before if part != str(links))])
