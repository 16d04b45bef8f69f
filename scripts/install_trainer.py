"""Make a virtual environment with one of the trainers that Winnow starts by command.

Usage::

    python scripts/install_trainer.py llamafactory VENV_DIR
    python scripts/install_trainer.py ms-swift VENV_DIR

Their pins conflict with one another's and with ours, so each has an interpreter of its own. Running it
again does nothing until this script changes.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "llamafactory": ("llamafactory==0.9.5",),
    # Qwen's own reader of media, and what it decodes videos with.
    "ms-swift": ("ms-swift==4.6.0", "qwen-vl-utils==0.0.14", "torchvision", "decord==0.6.0"),
}
MODULES = {"llamafactory": "llamafactory", "ms-swift": "swift, qwen_vl_utils, decord"}
STAMP = "winnow-trainer.stamp"


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in PACKAGES:
        print(__doc__, file=sys.stderr)
        return 2
    name, venv = arguments[0], Path(arguments[1])
    stamp = venv / STAMP
    wanted = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == wanted:
        print(f"{venv}: up to date")
        return 0
    python = venv / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, *PACKAGES[name]], check=True)
        subprocess.run([str(python), "-c", f"import {MODULES[name]}"], check=True)
    except subprocess.CalledProcessError as error:
        print(f"failed ({error.returncode}): {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    stamp.write_text(wanted + "\n", encoding="utf-8")
    print(f"{venv}: {name} is installed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
