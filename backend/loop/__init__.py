"""The loop closed: judge, filter, review, freeze, train, evaluate; round after round.

Each step's result is written down before the next begins, so that a loop that was killed, or that
waits for people, goes on where it stopped. The steps themselves are ordinary runs, sets and trainings.

``spec`` says what a loop does and how far it is, ``checks`` refuses what would fail later, ``driver``
lets one process at a time go on with it, ``rounds`` does the steps, ``steering`` starts and ends it.
"""

from backend.loop.driver import driver_of
from backend.loop.rounds import Changes
from backend.loop.spec import LoopSpec, LoopState, Step
from backend.loop.steering import cancel, run, start

__all__ = ["Changes", "LoopSpec", "LoopState", "Step", "cancel", "driver_of", "run", "start"]
