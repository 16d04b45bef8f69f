"""How fast, and in how much memory, an HPDv3 file is imported (media checks off).

Run: ``python -m benchmarks.import_speed --rows 1000000``
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from backend.ingest.importer import import_dataset
from backend.store.database import Database
from backend.store.schema import metadata


def make_rows(file: Path, rows: int, layout: str) -> None:
    """Write ``rows`` HPDv3 rows of about 400 bytes each."""
    words = [
        "a",
        "quiet",
        "harbour",
        "at",
        "dawn",
        "with",
        "seven",
        "red",
        "boats",
        "and",
        "mist",
        "over",
        "slow",
        "green",
        "water",
    ]
    with file.open("w", encoding="utf-8") as out:
        if layout == "array":
            out.write("[\n")
        for n in range(rows):
            caption = " ".join(words[(n * k) % len(words)] for k in range(1, 25))
            row = {
                "prompt": f"{caption}, scene {n // 4}",
                "path1": f"images/model_{n % 11}/{n:08d}_a.jpg",
                "path2": f"images/model_{n % 7}/{n:08d}_b.jpg",
                "model1": f"model_{n % 11}",
                "model2": f"model_{n % 7}",
                "confidence": (n % 100) / 100,
                "choice_dist": [n % 20, 20 - n % 20],
            }
            last = layout == "array" and n < rows - 1
            out.write(json.dumps(row, indent=1 if layout == "array" else None) + ",\n"[not last :])
        if layout == "array":
            out.write("]\n")


def measure(file: Path, folder: Path) -> None:
    """Import in this process; print seconds, pairs and peak memory as JSON."""
    db = Database(folder / "winnow.db")
    metadata.create_all(db.engine)
    started = time.perf_counter()
    row = import_dataset(db, name="bench", spec=f"hpdv3:{file}", check_media=False)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "pairs": row.counts["pairs"], "peak_mb": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.measure.parent)
        return
    print(f"{'layout':<8}{'rows':>10}{'file MB':>9}{'seconds':>9}{'rows/s':>9}{'peak RSS MB':>13}")
    for layout in ("array", "lines"):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"train.{layout}.json"
            make_rows(file, arguments.rows, layout)
            # In a process of its own, whose peak memory is the import's alone.
            command = [sys.executable, "-m", "benchmarks.import_speed", "--measure", str(file)]
            result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            size = file.stat().st_size / 1e6
        seconds = result["seconds"]
        print(
            f"{layout:<8}{result['pairs']:>10}{size:>9.0f}{seconds:>9.1f}"
            f"{arguments.rows / seconds:>9.0f}{result['peak_mb']:>13.0f}"
        )


if __name__ == "__main__":
    main()
