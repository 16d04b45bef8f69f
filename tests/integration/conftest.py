"""Running the real command on a real workspace."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend.store.database import Database
from tests.forking import FORKING, LOOK
from tests.integration.judged import judge_four


@dataclass(frozen=True)
class Result:
    """What one call of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Winnow = Callable[..., Result]


@pytest.fixture
def winnow(tmp_path: Path) -> Winnow:
    """``winnow(*words)`` in a workspace of its own; ``code`` is what it should exit with."""

    def call(*words: object, code: int = 0, env: Mapping[str, str] | None = None) -> Result:
        done = FORKING.call(
            [*map(str, words), "--workspace", str(tmp_path / "ws")], {**os.environ, **LOOK, **(env or {})}, timeout=240
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def visible_winners(tmp_path: Path) -> Path:
    """An HPDv3 file of 12 pairs whose winner is green and whose loser is red, in the pixels."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = []
    for number in range(12):
        # Names do not tell the winner; only the pixels do.
        names = [f"{number:02d}x.png", f"{number:02d}y.png"]
        winner, loser = names if number % 3 else names[::-1]
        Image.new("RGB", (56, 56), (0, 200, 0)).save(folder / winner)
        Image.new("RGB", (56, 56), (200, 0, 0)).save(folder / loser)
        rows.append({"prompt": f"caption {number} {{braces}}", "path1": winner, "path2": loser})
    file = folder / "pairs.json"
    file.write_text(json.dumps(rows))
    return file


@pytest.fixture
def db(database: Database) -> Database:
    """See :func:`tests.integration.judged.judge_four`."""
    judge_four(database)
    return database
