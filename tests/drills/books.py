"""After the killing: is everything there that was acknowledged, once, and as it was said?"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import func, select, text

from backend.domain.rulings import effective_decision
from backend.store.schema import curated_sets, datasets, jobs, pairs, predictions, reviews, runs, set_items, verdicts
from tests.drills.outcome import Outcome
from tests.drills.stage import Stage

_ENDS_IN_S = 40.0
_SETTLING = ("accept", "reject", "relabel")


@dataclass
class Ledger:
    """What Winnow has said is done, as the persons noted it.

    Attributes:
        acknowledged: Rulings by their token, as sent.
        imported: Rows of rulings files whose import ended well, by token.
        datasets: Pairs by dataset.
        runs: Predictions by the model of an imported run.
        seen: Ids of predictions that were read from the store, by run.
        exports: Folders whose export ended well.
        trainings: Output folders of finished trainings.
    """

    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    imported: dict[str, dict[str, Any]] = field(default_factory=dict)
    datasets: dict[str, int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    seen: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    exports: set[Path] = field(default_factory=set)
    trainings: list[Path] = field(default_factory=list)

    def see_predictions(self, run: int, ids: set[int]) -> None:
        self.seen[run] |= ids


def ids_of(stage: Stage, run: int) -> set[int]:
    """Every stored prediction of a run."""
    with stage.space.database.read() as connection:
        query = select(predictions.c.id).where(predictions.c.run_id == run)
        return set(connection.execute(query).scalars())


def check(stage: Stage, outcome: Outcome, ledger: Ledger, *, supervisors: bool) -> None:
    """Hold everything against the ledger; each difference is a problem.

    Args:
        supervisors: Wait for the supervisors too, which end by themselves after some idle seconds.
    """
    for one in (_runs, _rulings, _in_force, _sets, _exports, _datasets, _trainings, _database):
        try:
            one(stage, outcome, ledger)
        except Exception as error:  # noqa: BLE001 - books that cannot be read are a finding
            outcome.wrong(f"{one.__name__[1:]} cannot be checked: {type(error).__name__}: {error}")
    _processes(stage, outcome, set() if supervisors else {"supervisor"})


def _runs(stage: Stage, outcome: Outcome, ledger: Ledger) -> None:
    with stage.space.database.read() as connection:
        rows = connection.execute(
            select(runs.c.id, runs.c.model, runs.c.total, runs.c.progress, jobs.c.status).join(
                jobs, jobs.c.id == runs.c.job_id, isouter=True
            )
        ).all()
        for row in rows:
            keys = connection.execute(
                select(predictions.c.pair_id, predictions.c.shown_order, predictions.c.sample).where(
                    predictions.c.run_id == row.id
                )
            ).all()
            judged = connection.execute(select(func.count()).where(verdicts.c.run_id == row.id)).scalar()
            if row.status not in (None, "finished"):
                outcome.wrong(f"run {row.id} ended as {row.status}")
            if not len(keys) == len(set(keys)) == row.total == judged:
                outcome.wrong(
                    f"run {row.id}: {row.total} wanted, {len(keys)} stored, {len(set(keys))} different, {judged} judged"
                )
            if "unfinished" in row.progress:
                outcome.wrong(f"run {row.id} is still marked as unfinished")
            outcome.checked["predictions"] += len(keys)
        for model, total in ledger.runs.items():
            found = [row for row in rows if row.model == model]
            if [row.total for row in found] != [total]:
                outcome.wrong(f"imported run {model}: {[row.total for row in found]}, not {total}")
    for run, ids in ledger.seen.items():
        if lost := ids - ids_of(stage, run):
            outcome.wrong(f"run {run}: {len(lost)} predictions that were stored are gone")


def _rulings(stage: Stage, outcome: Outcome, ledger: Ledger) -> None:
    with stage.space.database.read() as connection:
        stored = defaultdict(list)
        for row in connection.execute(select(reviews)):
            stored[row.token].append(row)
        place = {
            (idx, sample): number
            for number, idx, sample in connection.execute(
                select(predictions.c.id, pairs.c.idx, predictions.c.sample)
                .join(pairs, pairs.c.id == predictions.c.pair_id)
                .where(predictions.c.run_id == 2)
            )
        }
    for token, one in {**ledger.acknowledged, **ledger.imported}.items():
        rows = stored[token]
        if len(rows) != 1:
            outcome.wrong(f"ruling {token} was acknowledged and is stored {len(rows)} times")
            continue
        (row,) = rows
        number = one.get("prediction_id") or place[one["index"], one["sample"]]
        said = (number, one["ruling"], one.get("relabel"), one["note"], one["reviewer"])
        if said != (row.prediction_id, row.ruling, row.relabel, row.note, row.reviewer):
            outcome.wrong(f"ruling {token} is not stored as it was said: {said}, {row}")
    outcome.checked["rulings"] += len(ledger.acknowledged) + len(ledger.imported)


def _in_force(stage: Stage, outcome: Outcome, _: Ledger) -> None:
    """The decision beside each prediction is that of its newest ruling, told from the rows alone."""
    with stage.space.database.read() as connection:
        rows = connection.execute(select(reviews).order_by(reviews.c.id)).all()
        beside = {row.prediction_id: row for row in connection.execute(select(verdicts))}
    undone = {row.undoes for row in rows if row.undoes is not None}
    live = defaultdict(list)
    for row in rows:
        live[row.prediction_id] += [row] if row.ruling not in ("undo", "note") and row.id not in undone else []
    for number, verdict in beside.items():
        stack = live.get(number, [])
        settling = [row for row in stack if row.ruling in _SETTLING] or stack
        top = settling[-1] if settling else None
        wanted = effective_decision(verdict.decision, verdict.answer, top and top.ruling, top and top.relabel)
        if (verdict.effective, verdict.ruling) != (wanted, top and top.ruling):
            outcome.wrong(
                f"prediction {number} is {verdict.effective} by {verdict.ruling}; its newest ruling "
                f"in force says {wanted} by {top and top.ruling}"
            )
    outcome.checked["decisions"] += len(beside)


def _sets(stage: Stage, outcome: Outcome, _: Ledger) -> None:
    with stage.space.database.read() as connection:
        rows = connection.execute(select(curated_sets).order_by(curated_sets.c.id)).all()
        versions = defaultdict(list)
        for row in rows:
            count = connection.execute(select(func.count()).where(set_items.c.set_id == row.id)).scalar()
            if row.status != "frozen":
                outcome.wrong(f"set {row.name}@{row.version} stays {row.status}")
            elif count != row.counts["items"]:
                outcome.wrong(f"set {row.name}@{row.version}: {count} of {row.counts['items']} items")
            versions[row.name].append(row.version)
            outcome.checked["sets"] += 1
    for name, found in versions.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            outcome.wrong(f"set {name} has versions {sorted(found)}")


def _exports(stage: Stage, outcome: Outcome, ledger: Ledger) -> None:
    for folder in ledger.exports:
        for problem in export_problems(stage, folder, finished=True):
            outcome.wrong(problem)
        outcome.checked["exports"] += 1


def export_problems(stage: Stage, folder: Path, *, finished: bool) -> list[str]:
    """What is wrong with an export: its manifest, the files that it names, their rows and media.

    Args:
        finished: Whether there must be one. Where there need not, a manifest still means a complete one.
    """
    where, manifest = f"export {folder.name}", folder / "manifest.json"
    if not manifest.exists():
        return [f"{where}: no manifest"] if finished else []
    made = json.loads(manifest.read_text())
    wanted = f"{made['set']['name']}@{made['set']['version']}"
    frozen = {f"{row.name}@{row.version}": row for row in _frozen(stage)}
    row = frozen.get(wanted)
    if row is None or row.content_hash != made["set"]["content_hash"]:
        return [f"{where}: set {wanted} is not in the workspace with that content"]
    problems = []
    if made["rows"] + sum(made["left_out"].values()) != row.counts["items"]:
        problems.append(f"{where}: {made['rows']} of {row.counts['items']} rows")
    for file in made["files"]:
        path = folder / file["name"]
        data = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(data).hexdigest() != file["sha256"] or len(data) != file["bytes"]:
            problems.append(f"{where}: {file['name']} is not what the manifest says")
        elif made["bundle"]:
            missing = [one for one in _media(path) if not (folder / one).is_file()]
            if missing:
                problems.append(f"{where}: {len(missing)} media of {file['name']} are missing")
    left = [path.name for path in folder.iterdir() if path.name.endswith(".partial")]
    if finished and left:
        problems.append(f"{where}: left over: {left}")
    return problems


def _frozen(stage: Stage) -> list[Any]:
    def read() -> list[Any]:
        with stage.space.database.read() as connection:
            query = select(curated_sets).where(curated_sets.c.status == "frozen")
            return list(connection.execute(query))

    return stage.asked(read)


def _media(file: Path) -> set[str]:
    """The media that the rows of a bundled file name."""
    if file.suffix == ".parquet":
        rows = pq.read_table(file).to_pylist()
    elif file.suffix == ".jsonl":
        rows = [json.loads(line) for line in file.read_text().splitlines()]
    else:
        rows = json.loads(file.read_text()) if file.suffix == ".json" else []
    found: set[str] = set()
    for row in rows if isinstance(rows, list) else []:
        found |= {*row.get("images", ()), *row.get("videos", ())}
        found |= {row[side] for side in ("first", "second") if isinstance(row.get(side), str)}
    return found


def _datasets(stage: Stage, outcome: Outcome, ledger: Ledger) -> None:
    with stage.space.database.read() as connection:
        for name, count in ledger.datasets.items():
            found = connection.execute(
                select(datasets.c.status, func.count())
                .join(pairs, pairs.c.dataset_id == datasets.c.id)
                .where(datasets.c.name == name)
                .group_by(datasets.c.status)
            ).all()
            if [tuple(row) for row in found] != [("ready", count)]:
                outcome.wrong(f"dataset {name}: {found}, not {count} pairs")
            outcome.checked["pairs"] += count


def _trainings(stage: Stage, outcome: Outcome, ledger: Ledger) -> None:
    (base,) = (row for row in _frozen(stage) if row.name == "base")
    for out in ledger.trainings:
        file = out / "model" / "rows"
        rows = file.read_text() if file.exists() else "no"
        if rows != str(base.counts["items"]):
            outcome.wrong(f"{out.name} was trained on {rows} of {base.counts['items']} rows")
        outcome.checked["trainings"] += 1


def _database(stage: Stage, outcome: Outcome, _: Ledger) -> None:
    database = stage.space.database
    if database.url.get_backend_name() == "sqlite":
        with database.read() as connection:
            said = connection.execute(text("PRAGMA integrity_check")).scalars().all()
            orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
        if list(said) != ["ok"] or orphans:
            outcome.wrong(f"integrity_check: {said[:3]}; foreign keys: {orphans[:3]}")
        outcome.checked["integrity_check"] += 1


def _processes(stage: Stage, outcome: Outcome, may_stay: set[str]) -> None:
    deadline = time.monotonic() + _ENDS_IN_S
    while (found := stage.processes()).keys() - may_stay and time.monotonic() < deadline:
        time.sleep(0.3)
    for kind in found.keys() - may_stay:
        outcome.wrong(f"left over: {len(found[kind])} {kind}")
    outcome.checked["processes left"] += 1
