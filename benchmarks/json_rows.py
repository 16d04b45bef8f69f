"""Our reader of JSON arrays beside ijson's: rows a second, by turns, in one run.

    pip install ijson
    python -m benchmarks.json_rows

A file as HPDv3's, an array of objects, is written to a temporary folder. Both give its objects one at a
time in bounded memory. ijson refuses ``NaN``, which Python's own writers make, and names no line where a
file is broken: so ours is kept though it is slower.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from backend.datasets.json_rows import json_array


def main() -> None:
    """Print the table."""
    import ijson

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    row = {
        "prompt": "a red fox asleep in fresh snow, golden hour, 85 mm " * 3,
        "path1": "images/000001_a.jpg",
        "path2": "images/000001_b.jpg",
        "model1": "flux",
        "model2": "sdxl",
        "confidence": 0.87,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.json")
        path.write_text(json.dumps([{**row, "id": number} for number in range(given.rows)], indent=1))
        times: dict[str, list[float]] = {"ours": [], f"ijson ({ijson.backend_name})": []}
        for _ in range(given.rounds):
            for name, seconds in times.items():
                started = time.perf_counter()
                if name == "ours":
                    count = sum(1 for _ in json_array(path))
                else:
                    with path.open("rb") as file:
                        count = sum(1 for _ in ijson.items(file, "item", use_float=True))
                assert count == given.rows
                seconds.append(time.perf_counter() - started)
    print("| reader | rows/s, median | least | most |\n|---|---|---|---|")
    for name, seconds in times.items():
        rates = sorted(given.rows / one for one in seconds)
        print(f"| {name} | {statistics.median(rates):,.0f} | {rates[0]:,.0f} | {rates[-1]:,.0f} |")
    ours, theirs = times.values()
    print(f"ratio by turns, median: {statistics.median(b / a for a, b in zip(ours, theirs, strict=True)):.2f}")


if __name__ == "__main__":
    main()
