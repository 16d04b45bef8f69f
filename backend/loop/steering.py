"""Starting a loop, going on with it, giving it up: what the command calls."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from backend.domain.jobs import OPEN
from backend.domain.operations import Operation, guarded
from backend.engines.registry import replays
from backend.errors import RunError, TrainingError
from backend.loop.checks import check_loop
from backend.loop.driver import driving
from backend.loop.rounds import Changes, Rounds
from backend.loop.serving import stop_server
from backend.loop.spec import LoopSpec, LoopState, Step
from backend.workspace import Workspace


@guarded(Operation.START_LOOP)
def start(space: Workspace, spec: LoopSpec) -> int:
    """Write down a new loop; returns its id. :func:`run` does it.

    Raises:
        WinnowError: Something would stop it later; see :func:`backend.loop.checks.check_loop`.
        Forbidden: Only operators may.
    """
    check_loop(space, spec)
    return space.loops.add(spec.model_dump(mode="json"), LoopState().model_dump(mode="json"))


@guarded(Operation.GO_ON_WITH_LOOP)
def run(
    space: Workspace,
    loop_id: int,
    *,
    say: Callable[[str], None],
    reviewed: bool = False,
    changes: Changes | None = None,
) -> LoopState:
    """Go on with a loop until it is done or waits for a review.

    Args:
        say: Is told each step.
        reviewed: People have looked at what the present round accepted. Means something only to a
            loop that waits for that now; a review that is still to come is waited for all the same.
        changes: Replace options that no step has used yet.

    Raises:
        RunError: A run ended in another state than finished, and the loop can be resumed; or
            another process goes on with it; or it was cancelled.
        TrainingError: A training ended so.
        ReviewError: Nothing is accepted, or balancing leaves nothing.
        UsageError: The changes come too late, or make no sense.
        Forbidden: Only operators may.
    """
    with driving(space, loop_id) as (row, hold):
        rounds = Rounds(space, row, hold, say)
        try:
            _go_on(rounds, say, reviewed=reviewed, changes=changes)
        finally:
            rounds.close()
    return rounds.state


def _go_on(rounds: Rounds, say: Callable[[str], None], *, reviewed: bool, changes: Changes | None) -> None:
    if changes is not None:
        rounds.change(changes)
    if replays(rounds.spec.engine):
        say(f"engine {rounds.spec.engine} replays texts: no new judge is asked, and none is measured")
    reviewed = reviewed and rounds.state.step is Step.REVIEW
    while rounds.state.step is not Step.DONE:
        if rounds.state.step is Step.REVIEW and not reviewed:
            run_id = rounds.state.now["run"]
            say(f"round {rounds.state.round}: waiting for a review of run {run_id}")
            return
        reviewed = False
        rounds.advance()


@guarded(Operation.CANCEL_LOOP)
def cancel(space: Workspace, loop_id: int) -> None:
    """Give a loop up: whoever drives it stops, and so does what it has started.

    Runs, sets and trainings that it made stay. To cancel it again is harmless.

    Raises:
        NotFound: There is no such loop.
        RunError: It is done.
        Forbidden: Only operators may.
    """

    def ended(state: dict[str, Any]) -> dict[str, Any]:
        if state["step"] == Step.DONE:
            raise RunError(f"loop {loop_id} is done; there is nothing to cancel")
        return {**state, "step": Step.CANCELLED.value}

    # First, so that the driver starts nothing more.
    row = space.loops.end(loop_id, ended)
    state = LoopState.model_validate(row.state)
    # What has ended meanwhile needs no stopping.
    for run_id in (state.baseline, state.now.get("run"), state.now.get("evaluation")):
        if run_id is not None and space.runs.get(run_id).status in OPEN:
            with suppress(RunError):
                space.launcher.cancel(run_id)
    training = state.now.get("training")
    if training is not None and space.trainings.get(training).status in OPEN:
        with suppress(RunError, TrainingError):
            space.training_launcher.stop(training)
    if row.spec.get("serve"):
        stop_server(space.folder, loop_id)
    space.supervise()
