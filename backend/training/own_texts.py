"""The preflight's line on a small judge: its own texts have the loss in training that inference gives.

See :mod:`backend.training.consistency`. The trainer's own code is run on a few rows of the sets, on the
CPU and in the trainer's interpreter, so only a judge that is small enough is looked at.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from functools import lru_cache

from backend.domain.pairs import MediaKind, MediaRef, Order, Pair, Preference
from backend.domain.preflight import Check, Level
from backend.domain.prompts import fill_instruction
from backend.errors import MediaError
from backend.hints import Hint
from backend.store.database import Database
from backend.store.sets import SetRow, Sets
from backend.training.base import Trainer
from backend.training.data import Row
from backend.training.self_check import Job, Result, read_result
from backend.training.spec import TrainingSpec

SMALL = 200_000_000
"""Bytes of weights with which the CPU answers a few rows in seconds."""

ROWS = 1
"""Of each medium."""

_TIMEOUT_S = 240.0


def own_texts(
    database: Database, spec: TrainingSpec, trainer: Trainer, sets: Sequence[SetRow], weights: int | None
) -> Iterator[Check]:
    """The line, where the judge is small and the trainer's code is known.

    Args:
        weights: Bytes of the model's; ``None`` for a name on the hub.
    """
    command = trainer.self_check()
    if command is None or not weights or weights > SMALL:
        return
    rows = tuple(_rows(database, sets))
    job = Job(model=spec.model, fps=spec.fps, max_pixels=spec.max_pixels, rows=rows, together=2)
    result = _run(command.argv, tuple(command.env.items()), command.cwd, job.dumps())
    if isinstance(result, str):
        yield Check("Own texts", Level.WARN, f"not compared with inference ({result})")
        return
    said = f"the judge's own texts cost {result.found:.4f} nats a token in training, {result.expected:.4f} at inference"
    if result.agrees:
        yield Check("Own texts", Level.OK, said)
        return
    more = f"; the first of {len(result.differences)}: {result.differences[0]}"
    yield Check(
        "Own texts",
        Level.FAIL,
        said + (more if result.differences else ""),
        Hint("the trainer shows the judge something else than the run did; {trainer:local} does not"),
    )


@lru_cache(maxsize=16)
def _run(argv: tuple[str, ...], env: tuple[tuple[str, str], ...], cwd: str | None, job: str) -> Result | str:
    """The result, or one line on why there is none. A page asks again at each change of a field."""
    try:
        done = subprocess.run(  # noqa: S603 - a list, and the interpreter is the operator's setting
            argv,
            input=job,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            cwd=cwd,
            env={**os.environ, **dict(env), "CUDA_VISIBLE_DEVICES": ""},
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error).splitlines()[0]
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {done.returncode}"
    try:
        return read_result(done.stdout)
    except ValueError:
        return "its output cannot be read"


def _rows(database: Database, sets: Sequence[SetRow]) -> Iterator[Row]:
    """The first rows of each medium as they were shown; responses do not matter."""
    left = dict.fromkeys(MediaKind, ROWS)
    for row in sets:
        runs = Sets(database).runs_of(row)
        for item in Sets(database).iter_items(row.id):
            kind = MediaKind(item.kind)
            spec, root = runs[item.run_id]
            if not left[kind]:
                if not any(left[MediaKind(name)] for name in MediaKind if row.counts.get(name)):
                    break
                continue
            shown = Pair(
                key=item.key,
                index=item.idx,
                kind=kind,
                prompt=item.prompt,
                first=MediaRef(path=item.first_path),
                second=MediaRef(path=item.second_path),
                preference=Preference(item.preference),
            ).shown(Order(item.shown_order))
            try:
                media = (root.join(shown.first.path), root.join(shown.second.path))
            except MediaError:
                continue  # the line on media says it
            left[kind] -= 1
            yield Row(kind, fill_instruction(spec["instruction"][kind.value], item.prompt), "", media)
