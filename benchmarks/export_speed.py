"""Re-deciding, freezing and exporting a large set: seconds, rows a second and peak memory.

    python -m benchmarks.export_speed --rows 1000000

Each step runs in a process of its own, so that its peak memory is its own. Target for the export of
a million rows: at most 60 s and 500 MB; for re-deciding them (``redecide``, and ``back``): 20 s.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert

from backend.curation.sets import freeze, get_set
from backend.domain.filtering import Policy
from backend.export.exporter import export_set
from backend.inference.deciding import redecide
from backend.store.database import Database
from backend.store.schema import datasets, metadata, pairs, predictions, runs, verdicts

STEPS = ("build", "redecide", "back", "freeze", "export")
CHUNK = 5_000
TEXT = (
    "<think>\nSemantic consistency: Image 1 shows what the caption asks for (8/10); Image 2 lacks "
    "its second subject (5/10)\nAesthetics: Image 1 is calm (7/10); Image 2 is crowded (6/10)\n"
    "Authenticity: Image 1 is clean (8/10); Image 2 has artifacts (4/10)\nTotal score:\n"
    "Image 1: 23\nImage 2: 15\n</think>\n<answer>Image {} is better</answer>"
)


def build(db: Database, rows: int) -> None:
    """A workspace of ``rows`` accepted predictions, half of them shown swapped."""
    metadata.create_all(db.engine)
    with db.write() as connection:
        connection.execute(
            insert(datasets).values(
                id=1, name="d", source="hpdv3", spec="", data_root="/data", status="ready", created_at=0.0, counts={}
            )
        )
        connection.execute(
            insert(runs).values(
                id=1,
                dataset_id=1,
                model="m",
                engine="scripted",
                spec={},
                policy={},
                total=rows,
                progress={},
                created_at=0.0,
            )
        )
    for start in range(0, rows, CHUNK):
        numbers = range(start, min(start + CHUNK, rows))
        where = [
            {"run_id": 1, "pair_id": n + 1, "shown_order": "swapped" if n % 2 else "dataset", "sample": 0}
            for n in numbers
        ]
        with db.write() as connection:
            connection.execute(
                insert(pairs),
                [
                    {
                        "id": n + 1,
                        "dataset_id": 1,
                        "idx": n,
                        "key": f"{n:032x}",
                        "kind": "image",
                        "prompt": f"caption {n} of something that was asked for",
                        "first_path": f"images/{n % 1000:03d}/{n}_good.png",
                        "second_path": f"images/{n % 1000:03d}/{n}_bad.png",
                        "preference": "first",
                        "media_ok": True,
                        "extra": {},
                    }
                    for n in numbers
                ],
            )
            connection.execute(
                insert(predictions),
                [
                    {"id": n + 1, "text": TEXT.format(2 if n % 2 else 1), "created_at": 0.0, **w}
                    for n, w in zip(numbers, where, strict=True)
                ],
            )
            connection.execute(
                insert(verdicts),
                [
                    {
                        "prediction_id": n + 1,
                        "preferred": "second" if n % 2 else "first",
                        "answer": "second" if n % 2 else "first",
                        "flaws": 0,
                        "scores": {"dimensions": [], "totals": [23, 15]},
                        "decision": "accepted",
                        "reason": "agrees",
                        "effective": "accepted",
                        **w,
                    }
                    for n, w in zip(numbers, where, strict=True)
                ],
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step is None:
        print(f"{'step':8} {'seconds':>8} {'rows/s':>9} {'peak MB':>8}")
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.export_speed", "--folder", folder]
            for step in STEPS:
                words = ["--rows", str(args.rows), "--step", step]
                subprocess.run([*command, *words], check=True)
        return
    db = Database(args.folder / "w.db")
    started = time.perf_counter()
    if args.step == "build":
        build(db, args.rows)
    elif args.step == "redecide":
        assert redecide(db, 1, Policy(min_margin=9), args.rows) == args.rows
    elif args.step == "back":
        # The set is frozen from what the default policy accepts.
        assert redecide(db, 1, Policy(), args.rows) == args.rows
    elif args.step == "freeze":
        freeze(db, "s", [1])
    else:
        export_set(db, get_set(db, "s"), format="lightrft", out=args.folder / "out")
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{args.step:8} {seconds:8.1f} {args.rows / seconds:9.0f} {peak:8.0f}", flush=True)


if __name__ == "__main__":
    main()
