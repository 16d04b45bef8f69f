"""The demo, step by step: what ``winnow demo`` prints and the dashboard does in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.curation import sets as curated
from backend.demo.dataset import write_demo
from backend.demo.judge import shipped_judge
from backend.domain.operations import Operation, require
from backend.engines.base import EngineOptions
from backend.export.exporter import export_set
from backend.export.formats import OURS
from backend.inference.launch import Launcher, RunRequest
from backend.ingest.importer import import_dataset
from backend.store.database import Database
from backend.store.runs import Runs

DATASETS = ("demo-t2i", "demo-t2v")


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo left behind."""

    runs: tuple[int, ...]
    set_name: str
    export: Path


def run_demo(
    database: Database, launcher: Launcher, folder: Path, *, wait: Callable[[int], None], say: Callable[[str], None]
) -> Demo:
    """Render pairs, judge them in background runs, freeze what was accepted and export it.

    Args:
        folder: The workspace's.
        wait: Stays until a run has ended, and raises unless it is finished.
        say: Is told each step.

    Raises:
        Forbidden: Only operators may.
        EngineUnavailable: What the judge runs on is not installed; nothing has been rendered then.
    """
    require(launcher.person, Operation.START_DEMO)
    options = EngineOptions(batch_size=16, max_new_tokens=256)
    requests = [
        RunRequest(dataset=name, model=str(shipped_judge()), engine="transformers", options=options)
        for name in DATASETS
    ]
    for request in requests:
        launcher.resolve(request)
    own = folder / "demo"
    say("1. rendering image and video pairs whose better side is known")
    files = write_demo(own)
    specs = (f"hpdv3:{files.images}", f"rapidata-t2v:{files.videos}")
    for name, spec in zip(DATASETS, specs, strict=True):
        dataset = import_dataset(database, name=name, spec=spec, data_root=None)
        say(f"   {name}: {dataset.counts['pairs']} pairs")
    say("2. judging them in background runs (they go on if you close this)")
    runs = tuple(launcher.start(request)[0] for request in requests)
    for run_id in runs:
        wait(run_id)
        counts = Runs(database).counts(run_id)
        dataset_name = Runs(database).get(run_id).dataset
        say(f"   run {run_id} ({dataset_name}): {counts['accepted']} of {counts['done']} accepted")
    say("3. freezing what was accepted and writing a training file")
    frozen = curated.freeze(database, "demo", runs)
    out = own / f"export-{frozen.version}"
    export_set(database, frozen, format=OURS, out=out)
    say(f"   set demo@{frozen.version}: {frozen.counts['items']} rows in {out}")
    return Demo(runs, f"demo@{frozen.version}", out)
