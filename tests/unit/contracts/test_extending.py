"""docs/extending.md makes a package; it is written, installed and used as the page says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from backend.domain.json_text import load_json

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "extending.md"
pytestmark = pytest.mark.slow

BRIGHTER = {0: "right", 1: "left", 2: "right"}
"""The side that more people voted for in each row of the page's file; the third one's lead is too small."""


def blocks() -> dict[str, str]:
    """The page's files by name."""
    return dict(re.findall(r"^```\w+ title=(\S+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.M))


def commands() -> list[list[str]]:
    """The page's commands, in their order."""
    shown = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.M)
    lines = "".join(shown).replace("\\\n", "").splitlines()
    assert all(line.startswith("$ winnow ") for line in lines)
    return [shlex.split(line)[2:] for line in lines]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as pip would have installed it."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in blocks().items():
        if name.endswith(".py"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(blocks()["pyproject.toml"])["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in lines.items()) for group, lines in groups
        )
    )
    return folder


def call(words: list[str], folder: Path, package: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with the package installed."""
    path = os.pathsep.join([str(package), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": path, "COLUMNS": "240", "NO_COLOR": "1"}
    env.pop("WINNOW_WORKSPACE", None)
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=200
    )


def test_the_pages_package_is_used_as_the_page_says(package: Path, tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(blocks()["votes.csv"])
    for number, brighter in BRIGHTER.items():
        for side in ("left", "right"):
            picture = Image.new("RGB", (64, 64), (230,) * 3 if side == brighter else (20,) * 3)
            picture.save(tmp_path / f"{number}-{side}.png")
    (tmp_path / "backend" / "demo").mkdir(parents=True)
    (tmp_path / "backend" / "demo" / "judge").symlink_to(ROOT / "backend" / "demo" / "judge")
    ran = []
    for words in commands():
        done = call(["-P", "-m", "backend.cli", *words], tmp_path, package)
        ran.append(words[0])
        # A dry run says what is missing here.
        assert done.returncode == 0 or "--dry-run" in words, f"{words}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        assert "winnow.json" in done.stdout or "--dry-run" not in words, done.stdout
    assert ran == ["dataset", "dataset", "run", "set", "export", "train", "run", "run"]
    assert done.stdout.count("too_easy") == 2, done.stdout
    rows = [load_json(line) for line in (tmp_path / "bright-grpo" / "winnow.jsonl").open("rb")]
    assert {tuple(Path(path).name for path in row["images"]) for row in rows} <= {
        (f"{number}-{one}.png", f"{number}-{other}.png")
        for number in (0, 1)
        for one, other in (("left", "right"), ("right", "left"))
    }
    assert len(rows) == 2
    for row in rows:
        better = Path(row["images"][int(row["solution"]) - 1]).stem
        number, side = better.split("-")
        assert BRIGHTER[int(number)] == side
    manifest = json.loads((tmp_path / "bright-grpo" / "manifest.json").read_text())
    assert (manifest["format"], manifest["options"]) == ("grpo", {"answer": "number"})
    listed = call(["-P", "-m", "backend.cli", "dataset", "list", "--json"], tmp_path, package)
    (dataset,) = json.loads(listed.stdout)
    assert dataset["spec"] == f"votes+least=2:{tmp_path / 'votes.csv'}"
    assert (dataset["source"], dataset["ties"]) == ("votes", 1)
    kept = call(["-m", "tests.unit.contracts.another_package", str(tmp_path)], ROOT, package)
    assert kept.stdout.endswith("kept\n"), kept.stdout + kept.stderr


def test_a_value_out_of_range_is_refused_by_name(package: Path, tmp_path: Path) -> None:
    words = ["-P", "-m", "backend.cli", "dataset", "add", "votes:votes.csv", "--name", "v", "--votes-least", "0"]
    done = call(words, tmp_path, package)
    assert done.returncode == 2 and "--votes-least" in done.stderr
    words[5:8] = ["votes+least=0:votes.csv", "--name", "v"]
    done = call(words[:8], tmp_path, package)
    assert done.returncode != 0 and "least" in done.stderr and "at least 1" in done.stderr


def test_options_of_what_was_not_chosen_are_refused(package: Path, tmp_path: Path) -> None:
    done = call(
        ["-P", "-m", "backend.cli", "dataset", "add", "pairs:a.csv", "--name", "v", "--votes-least", "2"],
        tmp_path,
        package,
    )
    assert done.returncode != 0 and "options of votes" in done.stderr
    words = ["export", "s", "--format", "jsonl", "--out", "o", "--grpo-answer", "number"]
    done = call(["-P", "-m", "backend.cli", *words], tmp_path, package)
    assert done.returncode == 2 and "options of format grpo" in done.stderr
