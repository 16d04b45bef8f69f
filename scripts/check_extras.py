"""Can what the README tells people to install be installed?

Usage::

    python scripts/check_extras.py

Resolves the package alone, each of its extras, and each combination of them that the README, the
Makefile or a hint of the backend names, with the newest pip's ``--dry-run``, for this Python: nothing
is installed. Then looks into the vLLM that was resolved: our engine must use no name and no argument
that it does not have.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.vllm_source import problems_with_vllm  # noqa: E402 - a script, run from anywhere

AT_ONCE = 2
TIMEOUT_S = 600
NAMED = re.compile(r"""pip install [^\n`]*?['"]?\.\[([a-z0-9, -]+)\]""")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What pip said to one combination of extras.

    Attributes:
        packages: Number of packages, or ``None`` where it cannot be resolved.
        complaint: pip's own words then.
        vllm: Address of the vLLM wheel among the packages, if any.
    """

    extras: tuple[str, ...]
    seconds: float
    packages: int | None
    complaint: str = ""
    vllm: str | None = None


def main() -> int:
    with (ROOT / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]["optional-dependencies"]
    naming = [ROOT / "README.md", ROOT / "Makefile", *ROOT.glob("backend/**/*.py")]
    wanted = combinations(declared, [path.read_text(encoding="utf-8") for path in naming])
    with tempfile.TemporaryDirectory(prefix="winnow-extras-") as name:
        folder = Path(name)
        # As a reader makes it; an old pip would take three times as long.
        venv.create(folder / "venv", with_pip=True, upgrade_deps=True)
        pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        wheel = build_wheel(pip, folder)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(lambda extras: resolve(pip, wheel, extras), wanted))
    for one in found:
        name = f".[{','.join(one.extras)}]" if one.extras else "."
        count = "FAILS" if one.packages is None else f"{one.packages} packages"
        print(f"{name:40} {count:>14} {one.seconds:5.0f} s")
        if one.complaint:
            print(one.complaint)
    wheels = {one.vllm for one in found if one.vllm}
    problems = [line for wheel in sorted(wheels) for line in problems_with_vllm(wheel)]
    for wheel in sorted(wheels):
        print(f"{wheel.rpartition('/')[2]}: {'; '.join(problems) or 'has all that our engine uses'}")
    return 1 if problems or any(one.packages is None for one in found) else 0


def combinations(declared: Iterable[str], texts: Iterable[str]) -> list[tuple[str, ...]]:
    """No extra, each one alone, and those that ``texts`` name together; the slowest come first.

    Raises:
        SystemExit: A text names an extra that is not declared.
    """
    alone = list(declared)
    named = {tuple(extra.strip() for extra in match[1].split(",")) for text in texts for match in NAMED.finditer(text)}
    if unknown := {extra for extras in named for extra in extras} - set(alone):
        raise SystemExit(f"named, but not declared as an extra: {', '.join(sorted(unknown))}")
    wanted = {(), *((extra,) for extra in alone), *named}
    return sorted(wanted, key=lambda extras: ("vllm" not in extras, -len(extras), extras))


def build_wheel(pip: list[str], folder: Path) -> Path:
    """Our own wheel: what a reader's pip makes of a fresh checkout, extras and all."""
    source = folder / "source"
    # Not in place: setuptools would put into the wheel what an older build has left here.
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".venv*", ".git", "build", "winnow-*"))
    command = [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def resolve(pip: list[str], wheel: Path, extras: tuple[str, ...]) -> Resolved:
    """Have pip choose the packages of ``extras``, as in an empty environment."""
    report = wheel.with_name(f"{'-'.join(extras) or 'none'}.json")
    command = [
        *pip,
        "install",
        "--dry-run",
        "--ignore-installed",
        "--no-input",
        "--report",
        str(report),
        f"{wheel}[{','.join(extras)}]" if extras else str(wheel),
    ]
    started = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return Resolved(extras, TIMEOUT_S, None, f"pip did not end within {TIMEOUT_S} s")
    seconds = time.monotonic() - started
    if done.returncode != 0:
        why = done.stdout.partition("The conflict is caused by:")[2] or done.stderr
        return Resolved(extras, seconds, None, "\n".join(why.strip().splitlines()[-20:]))
    chosen = json.loads(report.read_text(encoding="utf-8"))["install"]
    urls = {one["metadata"]["name"].lower(): one["download_info"]["url"] for one in chosen}
    return Resolved(extras, seconds, len(chosen), vllm=urls.get("vllm"))


if __name__ == "__main__":
    sys.exit(main())
