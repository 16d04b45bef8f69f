"""Predictions made elsewhere: texts in a JSON-lines file, bound to the pairs of a dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from backend.domain.filtering import Policy
from backend.domain.pairs import Order, Pair
from backend.engines.base import Completion
from backend.errors import DatasetError
from backend.inference.deciding import decide_pairs, redecide
from backend.inference.pipeline import Place, new_prediction
from backend.inference.spec import RunSpec
from backend.store.database import Database
from backend.store.datasets import Datasets
from backend.store.predictions import Predictions
from backend.store.runs import Runs

CHUNK = 1_000
_HINT = 'each line is {"index": row or "key": …, "order": "dataset"|"swapped", "sample": 0, "text": "…"}'


def import_predictions(
    database: Database, dataset_id: int, spec: RunSpec, policy: Policy, file: Path
) -> int:
    """Store the texts of ``file`` as a run of their own, in one transaction; returns its id.

    ``order`` says which order the judge saw; it defaults to the dataset's. Nothing is stored when
    any line is wrong.

    Raises:
        DatasetError: The file or one of its lines cannot be used, or names no pair of the dataset.
    """
    datasets, predictions, runs = Datasets(database), Predictions(database), Runs(database)
    lines = list(_lines(file)) if file.stat().st_size < 1 << 20 else None
    total = len(lines) if lines is not None else sum(1 for _ in _lines(file))
    if not total:
        raise DatasetError(f"{file}: holds no predictions", hint=_HINT)
    source = iter(lines) if lines is not None else _lines(file)
    with database.write() as connection:
        run_id = runs.add(
            connection,
            dataset_id=dataset_id,
            model=spec.model,
            engine=spec.engine,
            spec=spec.model_dump(mode="json"),
            policy=policy.to_mapping(),
            total=total,
            job_id=None,
        )
        seen: set[tuple[int, str, int]] = set()
        while chunk := list(islice(source, CHUNK)):
            found = datasets.find_pairs(
                dataset_id,
                indexes=[row["index"] for _, row in chunk if "index" in row],
                keys=[row["key"] for _, row in chunk if "index" not in row],
            )
            new = []
            for number, row in chunk:
                place = _place(f"{file}:{number}", row, found)
                key = (place.pair_id, place.shown.order.value, place.sample)
                if key in seen:
                    raise DatasetError(
                        f"{file}:{number}: this pair, order and sample was given before",
                        hint='tell several texts of one pair apart by "sample"',
                    )
                seen.add(key)
                completion = Completion(
                    id=0, text=row["text"], finish_reason=row.get("finish_reason")
                )
                new.append(new_prediction(place, completion, use_cot=spec.use_cot))
            stored = predictions.add(connection, run_id, new)
            decide_pairs(
                connection, predictions, run_id, policy, {pair_id for pair_id, _, _ in stored}
            )
    redecide(database, run_id, policy, total)
    return run_id


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DatasetError(f"{file}:{number}: invalid JSON", hint=_HINT) from error
            if (
                not isinstance(row, dict)
                or not isinstance(row.get("text"), str)
                or not (isinstance(row.get("index"), int) or isinstance(row.get("key"), str))
            ):
                raise DatasetError(
                    f"{file}:{number}: needs a text, and an index or a key", hint=_HINT
                )
            yield number, row


def _place(where: str, row: dict[str, Any], found: dict[int | str, tuple[int, Pair]]) -> Place:
    name = row["index"] if "index" in row else row["key"]
    if name not in found:
        raise DatasetError(f"{where}: the dataset has no pair {name!r}", hint=_HINT)
    try:
        order = Order(row.get("order", "dataset"))
    except ValueError as error:
        raise DatasetError(f"{where}: unknown order {row['order']!r}", hint=_HINT) from error
    sample = row.get("sample", 0)
    if not isinstance(sample, int) or sample < 0:
        raise DatasetError(f"{where}: sample must be 0 or more", hint=_HINT)
    pair_id, pair = found[name]
    return Place(pair_id, pair.shown(order), sample)
