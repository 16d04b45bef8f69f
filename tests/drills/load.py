"""Load: the programs that measure reviewers, writers and imports at once, for what they lose.

Times are printed and never asserted: they are a matter of the machine, and what a run counts is not.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.drills.outcome import Outcome
from tests.drills.stage import ROOT
from tests.postgres import why_not

_SHORT_S = 60.0
_REVIEWED = re.compile(r"(\d+) acknowledged, (\d+) lost, (\d+) not in force, (\d+) problems")
_START_S = 240.0
"""Beyond the time that a program was given: what it builds, and a busy machine."""


def drill(outcome: Outcome, seconds: float, folder: Path) -> None:
    """Each program for its share of the time. A short drill has the writers alone, on SQLite."""
    for name, words, share in _programs(outcome, seconds, folder):
        began = time.monotonic()
        try:
            done = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}", *words],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=share + _START_S,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            outcome.wrong(f"{name}: no end after {share + _START_S:.0f} seconds")
            continue
        outcome.actions[name] += 1
        outcome.notes.append(f"{name} {' '.join(words)} ({time.monotonic() - began:.0f} s)")
        if done.returncode:
            outcome.wrong(f"{name}: exit {done.returncode}: {done.stderr[-300:]}")
        if name != "big_workspace":
            outcome.notes += [
                f"  {line}" for line in done.stdout.splitlines() if line.strip() and not line.startswith("decided anew")
            ]
            _counted(outcome, name, done.stdout)


def _programs(outcome: Outcome, seconds: float, folder: Path) -> Iterator[tuple[str, list[str], float]]:
    """Name, arguments and time of each."""
    reason = why_not()
    if seconds < _SHORT_S:
        words = ["--processes", "3", "--seconds", f"{min(seconds, 5):g}", "--rounds", "1"]
        yield "writers", [*words, "--databases", "sqlite"], seconds
        return
    if reason:
        outcome.notes.append(f"PostgreSQL is left out: {reason}")
    on = ["--databases", "sqlite", *([] if reason else ["postgresql"])]
    large, part = folder / "large", seconds / 3
    pairs = 10_000 if seconds >= 5 * _SHORT_S else 1_000
    yield "big_workspace", [str(large), "--pairs", str(pairs)], part
    yield "reviewers", [str(large), "--seconds", f"{part:.0f}"], part
    each = part / (2 * (len(on) - 1))  # two rounds: with a kill and without
    yield "writers", ["--seconds", f"{each:.0f}", "--rounds", "2", *on], part
    yield "rulings_import", ["--rulings", "20000", "--rounds", "1", *on], part


def _counted(outcome: Outcome, name: str, printed: str) -> None:
    """Take the counts out of what a program printed."""
    if name == "reviewers":
        found = _REVIEWED.search(printed)
        if found is None:
            outcome.wrong("reviewers: no count of what was acknowledged")
            return
        acknowledged, *bad = map(int, found.groups())
        outcome.checked["rulings of reviewers"] += acknowledged
        if any(bad) or not acknowledged:
            outcome.wrong(f"reviewers: {found[0]}")
        return
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in printed.splitlines() if line.startswith("|")
    ][2:]
    if not rows:
        outcome.wrong(f"{name}: no table")
    for row in rows:
        if name == "writers":
            written, bad = int(row[1].replace(",", "")), row[-3:]
            outcome.checked["rows of writers"] += written
            if bad != ["0", "0", "0"] or not written:
                outcome.wrong(f"writers: {row[0]}: {written} rows; errors, lost, doubled: {bad}")
        elif row[-1] == "each once":
            outcome.checked["imports of rulings"] += 1
