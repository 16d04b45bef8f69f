"""``python -m tests.drills [DRILL …] [--seed N] [--minutes M]``: run drills, print a table."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.drills import fuzz, kill, load, security
from tests.drills.outcome import Outcome, show

DRILLS = {
    "kill": kill.on_sqlite,
    "kill-postgres": kill.on_postgres,
    "load": load.drill,
    "fuzz": fuzz.drill,
    "security": security.drill,
}


def run(name: str, seed: int, seconds: float, folder: Path) -> Outcome:
    """One drill in a folder of its own."""
    outcome, began = Outcome(name, seed, seconds / 60), time.monotonic()
    folder.mkdir(parents=True)
    DRILLS[name](outcome, seconds, folder)
    outcome.took = (time.monotonic() - began) / 60
    return outcome


def main() -> int:
    """0 without a problem, 1 with any."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=f"{', '.join(DRILLS)}; all")
    parser.add_argument("--seed", type=int, help="repeats the choices of an earlier drill")
    parser.add_argument("--minutes", type=float, default=5.0, help="for each drill; default 5")
    parser.add_argument("--keep", type=Path, help="a folder to leave the workspaces in")
    given = parser.parse_args()
    if unknown := set(given.drills) - set(DRILLS):
        parser.error(f"no such drill: {', '.join(sorted(unknown))}")
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    folder = given.keep or Path(tempfile.mkdtemp(prefix="winnow-drills-"))
    outcomes = []
    try:
        for name in given.drills or DRILLS:
            print(f"{name}: seed {seed}, {given.minutes:g} minutes", flush=True)
            outcomes.append(run(name, seed, 60 * given.minutes, folder / name))
    finally:
        show(outcomes)
        if given.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if any(one.problems for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
