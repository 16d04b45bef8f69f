"""To come."""
from pathlib import Path
from tests.drills.outcome import Outcome


def drill(outcome: Outcome, seconds: float, folder: Path) -> None:
    pass
