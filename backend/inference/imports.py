"""Predictions made elsewhere: texts in a JSON-lines file, bound to the pairs of a dataset."""

from __future__ import annotations

import hashlib
import json
import secrets
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain.filtering import Policy
from backend.domain.json_text import load_json
from backend.domain.pairs import Order, Pair
from backend.engines.base import Completion
from backend.errors import DatasetError, RunError
from backend.foreign_text import brief, quoted
from backend.inference.deciding import decide_pairs, redecide
from backend.inference.pipeline import Place, new_prediction
from backend.inference.spec import RunSpec
from backend.media.opening import open_regular
from backend.store.database import Database
from backend.store.datasets import Datasets
from backend.store.predictions import Predictions
from backend.store.runs import Runs
from backend.store.unfinished import ABANDONED_S, Unfinished, check_mark, read_mark, set_mark

CHUNK = 500
MAX_SAMPLE = 1 << 16
_LONGEST_LINE = 1 << 24  # bytes; a file without newlines must not fill the memory
_ORDERS = tuple(Order)
_HINT = 'each line is {"index": row or "key": …, "order": "dataset"|"swapped", "sample": 0, "text": "…"}'

Line = tuple[int, dict[str, Any]]
"""A line's number, from 1, and its object."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """A file without a fault: how many predictions it holds, and what it is known by."""

    total: int
    digest: str


def import_predictions(database: Database, dataset_id: int, spec: RunSpec, policy: Policy, file: Path) -> int:
    """Store the texts of ``file`` as a run of their own; returns its id.

    The file is read twice, in bounded memory: first every line is checked, so that a broken one is
    reported by its number before anything is stored; then the lines are stored, a chunk in a short
    transaction. An import that was cut off goes on at its line when the same file is imported again,
    and one that is complete is found and left as it is.

    ``order`` says which order the judge saw; it defaults to the dataset's.

    Raises:
        DatasetError: The file or one of its lines cannot be used, or names no pair of the dataset.
        RunError: Another process is importing this very file.
    """
    datasets, predictions, runs = Datasets(database), Predictions(database), Runs(database)
    checked = _check(datasets, dataset_id, file)
    parts = [checked.digest, spec.model_dump_json(), json.dumps(policy.to_mapping())]
    identity = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    attempt = secrets.token_hex(8)
    with database.write() as connection:
        found = runs.find_import(connection, dataset_id, identity)
        mark = read_mark(found[1]) if found else None
        if found and mark is None:
            return found[0]
        if mark and not mark.abandoned:
            raise RunError(
                f"{file}: is being imported by another process",
                hint=f"wait for it; one that was cut off is gone on with after {ABANDONED_S:.0f} seconds",
            )
        run_id = (
            found[0]
            if found
            else runs.add(
                connection,
                dataset_id=dataset_id,
                model=spec.model,
                engine=spec.engine,
                spec=spec.model_dump(mode="json"),
                policy=policy.to_mapping(),
                total=checked.total,
                job_id=None,
                progress={"imported": identity},
            )
        )
        start = mark.line if isinstance(mark, Unfinished) else 0
        set_mark(connection, run_id, "importing", attempt, line=start)
    lines = (line for line in _lines(file) if line[0] > start)
    while chunk := list(islice(lines, CHUNK)):
        places = _places(datasets, dataset_id, file, chunk)
        new = [
            new_prediction(place, _completion(row), use_cot=spec.use_cot)
            for place, (_, row) in zip(places, chunk, strict=True)
        ]
        with database.write() as connection:
            check_mark(connection, run_id, attempt)
            stored = predictions.add(connection, run_id, new)
            pairs = {pair_id for pair_id, _, _ in stored}
            decide_pairs(connection, run_id, policy, pairs)
            set_mark(connection, run_id, "importing", attempt, line=chunk[-1][0])
    redecide(database, run_id, policy, checked.total, instead_of=attempt)
    return run_id


def _check(datasets: Datasets, dataset_id: int, file: Path) -> _Checked:
    """Read the whole file and find the first line that cannot be used."""
    digest = hashlib.sha256()
    # Eight bytes a line: what a set of tuples would need grows into hundreds of megabytes.
    codes, numbers = array("q"), array("q")
    lines = _lines(file, digest)
    while chunk := list(islice(lines, CHUNK)):
        for place, (number, _) in zip(_places(datasets, dataset_id, file, chunk), chunk, strict=True):
            combination = place.pair_id * MAX_SAMPLE + place.sample
            codes.append(combination * len(_ORDERS) + _ORDERS.index(place.shown.order))
            numbers.append(number)
    if not codes:
        raise DatasetError(f"{file}: holds no predictions", hint=_HINT)
    seen = np.frombuffer(codes, dtype=np.int64)
    in_order = np.argsort(seen, kind="stable")
    again = in_order[1:][seen[in_order[1:]] == seen[in_order[:-1]]]
    if len(again):
        raise DatasetError(
            f"{file}:{numbers[int(again.min())]}: this pair, order and sample was given before",
            hint='tell several texts of one pair apart by "sample"',
        )
    return _Checked(len(codes), digest.hexdigest())


def _lines(file: Path, digest: Any = None) -> Iterator[Line]:
    try:
        with open_regular(file) as stream:
            lines = iter(lambda: stream.readline(_LONGEST_LINE + 1), b"")
            for number, line in enumerate(lines, start=1):
                if len(line) > _LONGEST_LINE:
                    raise DatasetError(f"{file}:{number}: a line of more than 16 MiB", hint=_HINT)
                if digest is not None:
                    digest.update(line)
                if not line.strip():
                    continue
                yield number, _object(f"{file}:{number}", line)
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read ({error.strerror})", hint=_HINT) from error


def _object(where: str, line: bytes) -> dict[str, Any]:
    try:
        row = load_json(line)
    except ValueError as error:
        raise DatasetError(f"{where}: invalid JSON", hint=_HINT) from error
    if (
        not isinstance(row, dict)
        or not isinstance(row.get("text"), str)
        or not (type(row.get("index")) is int or isinstance(row.get("key"), str))
    ):
        raise DatasetError(f"{where}: needs a text, and an index or a key", hint=_HINT)
    wrong = [
        name
        for name, kind in (("index", int), ("key", str))
        if row.get(name) is not None and (type(row[name]) is not kind or not _storable(row[name]))
    ]
    if wrong:
        raise DatasetError(f"{where}: {wrong[0]} {quoted(row[wrong[0]])} names no pair", hint=_HINT)
    return row


def _storable(value: int | str) -> bool:
    """Whether a database can be asked for it."""
    return str(value).encode("utf-8", "replace").decode() == str(value)


def _completion(row: dict[str, Any]) -> Completion:
    reason = row.get("finish_reason")
    return Completion(id=0, text=row["text"], finish_reason=None if reason is None else str(reason))


def _places(datasets: Datasets, dataset_id: int, file: Path, chunk: list[Line]) -> list[Place]:
    found = datasets.find_pairs(
        dataset_id,
        indexes=[row["index"] for _, row in chunk if row.get("index") is not None],
        keys=[row["key"] for _, row in chunk if row.get("index") is None],
    )
    return [_place(f"{file}:{number}", row, found) for number, row in chunk]


def _place(where: str, row: dict[str, Any], found: dict[int | str, tuple[int, Pair]]) -> Place:
    name = row["key"] if row.get("index") is None else row["index"]
    if name not in found:
        raise DatasetError(f"{where}: the dataset has no pair {quoted(name)}", hint=_HINT)
    pair_id, pair = found[name]
    if row.get("key") not in (None, pair.key):
        raise DatasetError(
            f"{where}: index {name} is the pair {pair.key}, not {brief(row['key'])}",
            hint="leave out one of the two, or see whether the texts are another dataset's",
        )
    try:
        order = Order(row.get("order", Order.DATASET))
    except ValueError as error:
        raise DatasetError(f"{where}: unknown order {quoted(row['order'])}", hint=_HINT) from error
    sample = row.get("sample", 0)
    if type(sample) is not int or not 0 <= sample < MAX_SAMPLE:
        raise DatasetError(f"{where}: sample must be 0 to {MAX_SAMPLE - 1}", hint=_HINT)
    return Place(pair_id, pair.shown(order), sample)
