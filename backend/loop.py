"""The loop closed: judge, filter, review, freeze, train, evaluate; round after round.

Each step's result is written down before the next begins, so that a loop that was killed, or that
waits for people, goes on where it stopped. The steps themselves are ordinary runs, sets and trainings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.curation.sets import Balance
from backend.domain.filtering import PRESETS, load_policy
from backend.domain.jobs import OPEN, JobStatus
from backend.domain.pairs import OrderPolicy
from backend.domain.people import Role
from backend.engines.base import EngineOptions
from backend.errors import RunError, TrainingError, UsageError
from backend.inference.launch import RunRequest
from backend.store.loops import LoopRow, Loops
from backend.training.launch import judge_of
from backend.workspace import Workspace

_POLL_S = 0.3


class Step(StrEnum):
    """What comes next in a round."""

    BASELINE = "baseline"
    INFER = "infer"
    REVIEW = "review"
    FREEZE = "freeze"
    TRAIN = "train"
    EVALUATE = "evaluate"
    DONE = "done"


class LoopSpec(BaseModel):
    """What a loop does; never changed once it has begun.

    Attributes:
        holdout: Dataset that each round's judge is measured on; the first one too.
        samples: Completions for each shown pair of a round.
        policy: Filter policy, as a mapping.
        options: Of the engine in a round; measuring is greedy.
        training: Values of the training's spec, by name; its model and folder are the loop's.
        balance: Freeze as many rows that answer first as second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    model: str
    rounds: int = Field(2, ge=1)
    holdout: str | None = None
    engine: str = "auto"
    order: OrderPolicy | None = None
    samples: int = Field(4, ge=1)
    seed: int = 0
    limit: int | None = Field(None, ge=1)
    policy: dict[str, Any] = Field(default_factory=PRESETS["agreement"].to_mapping)
    options: EngineOptions = EngineOptions()
    trainer: Literal["local", "lightrft", "command"] = "local"
    training: dict[str, Any] = Field(default_factory=dict)
    balance: bool = True
    pause_for_review: bool = False
    output_dir: str | None = None


class LoopState(BaseModel):
    """How far a loop is.

    Attributes:
        round: Counted from 1.
        baseline: Run of the first judge on the held-out dataset.
        made: What each round has made so far: ``run``, ``set``, ``training``, ``evaluation``.
    """

    model_config = ConfigDict(extra="forbid")

    round: int = 1
    step: Step = Step.BASELINE
    baseline: int | None = None
    made: list[dict[str, Any]] = Field(default_factory=list)


def start(space: Workspace, spec: LoopSpec) -> int:
    """Write down a new loop; returns its id. :func:`run` does it.

    Raises:
        NotFound: There is no such dataset.
        Forbidden: Only operators may.
    """
    space.person.require(Role.OPERATOR, "start a loop")
    for name in (spec.dataset, spec.holdout):
        if name is not None:
            space.datasets.get(name)
    if spec.holdout == spec.dataset:
        raise UsageError(
            "the held-out dataset is the one that is trained on", hint="give another --holdout"
        )
    return Loops(space.database).add(
        spec.model_dump(mode="json"), LoopState().model_dump(mode="json")
    )


def run(
    space: Workspace, loop_id: int, *, say: Callable[[str], None], reviewed: bool = False
) -> LoopState:
    """Go on with a loop until it is done or waits for a review.

    Args:
        say: Is told each step.
        reviewed: People have looked at what the present round accepted.

    Raises:
        RunError: A run ended in another state than finished. The loop can be resumed.
        TrainingError: The same of a training.
    """
    space.person.require(Role.OPERATOR, "go on with a loop")
    row = Loops(space.database).get(loop_id)
    rounds = _Rounds(space, row, say)
    while rounds.state.step is not Step.DONE:
        if rounds.state.step is Step.REVIEW and not reviewed:
            say(f"round {rounds.state.round}: waiting for a review of run {rounds.now['run']}")
            say(f"then: winnow loop resume {loop_id}")
            break
        reviewed = reviewed and rounds.state.step is not Step.REVIEW
        rounds.advance()
    return rounds.state


class _Rounds:
    """The steps of one loop; each leaves the state one further."""

    def __init__(self, space: Workspace, row: LoopRow, say: Callable[[str], None]) -> None:
        self._space, self._id, self._say = space, row.id, say
        self.spec = LoopSpec.model_validate(row.spec)
        self.state = LoopState.model_validate(row.state)

    @property
    def now(self) -> dict[str, Any]:
        """What this round has made so far."""
        while len(self.state.made) < self.state.round:
            self.state.made.append({})
        return self.state.made[self.state.round - 1]

    def advance(self) -> None:
        """Do the next step to its end."""
        steps: dict[Step, Callable[[], Step]] = {
            Step.BASELINE: self._baseline,
            Step.INFER: self._infer,
            Step.REVIEW: lambda: Step.FREEZE,
            Step.FREEZE: self._freeze,
            Step.TRAIN: self._train,
            Step.EVALUATE: self._evaluate,
        }
        self.state.step = steps[self.state.step]()
        self._save()

    def _save(self) -> None:
        Loops(self._space.database).set_state(self._id, self.state.model_dump(mode="json"))

    def _baseline(self) -> Step:
        if self.spec.holdout is None:
            return Step.INFER
        if self.state.baseline is None:
            self.state.baseline = self._start(self.spec.holdout, self.spec.model, measure=True)
            self._save()
        self._finish_run(self.state.baseline)
        self._say(f"before: run {self.state.baseline} on {self.spec.holdout}")
        return Step.INFER

    def _infer(self) -> Step:
        if "run" not in self.now:
            self.now["run"] = self._start(self.spec.dataset, self._judge(), measure=False)
            self._save()
        counts = self._finish_run(self.now["run"])
        self._say(
            f"round {self.state.round}: run {self.now['run']}, "
            f"{counts['accepted']} of {counts['done']} accepted"
        )
        return Step.REVIEW if self.spec.pause_for_review else Step.FREEZE

    def _freeze(self) -> Step:
        name = f"loop-{self._id}-round-{self.state.round}"
        balance = Balance(self.spec.seed) if self.spec.balance else None
        frozen = self._space.freeze(name, [self.now["run"]], balance=balance)
        self.now["set"] = f"{frozen.name}@{frozen.version}"
        self._say(f"round {self.state.round}: set {self.now['set']}, {frozen.counts['items']} rows")
        return Step.TRAIN

    def _train(self) -> Step:
        space = self._space
        if "training" not in self.now:
            base = Path(self.spec.output_dir or space.folder / "loops" / f"loop-{self._id}")
            spec = space.trainer.spec(
                [self.now["set"]],
                **self.spec.training,
                trainer=self.spec.trainer,
                model=self._judge(),
                output_dir=str(base / f"round-{self.state.round}"),
            )
            self.now["training"] = space.trainer.start(spec)
            self._save()
        training = self.now["training"]
        row = space.trainings.get(training)
        if row.status not in OPEN and row.status != JobStatus.FINISHED:
            space.trainer.resume(training)
        while (row := space.trainings.get(training)).status in OPEN:
            space.supervise()
            time.sleep(_POLL_S)
        if row.status != JobStatus.FINISHED:
            raise TrainingError(
                f"training {training} {row.status}{': ' + row.error if row.error else ''}",
                hint=row.hint or f"`winnow loop resume {self._id}` goes on",
            )
        self.now["checkpoint"] = str(judge_of(space.trainer.view(training)))
        self._say(f"round {self.state.round}: training {training}, loss {row.progress.get('loss')}")
        return Step.EVALUATE

    def _evaluate(self) -> Step:
        if self.spec.holdout is not None:
            if "evaluation" not in self.now:
                self.now["evaluation"] = self._space.evaluate(
                    self.now["training"],
                    self.spec.holdout,
                    engine=self.spec.engine,
                    options=self._greedy(),
                )
                self._save()
            self._finish_run(self.now["evaluation"])
            self._say(
                f"round {self.state.round}: run {self.now['evaluation']} on {self.spec.holdout}"
            )
        if self.state.round == self.spec.rounds:
            return Step.DONE
        self.state.round += 1
        return Step.INFER

    def _judge(self) -> str:
        """The judge of this round: the last round's checkpoint."""
        if self.state.round == 1:
            return self.spec.model
        return str(self.state.made[self.state.round - 2]["checkpoint"])

    def _greedy(self) -> EngineOptions:
        return self.spec.options.model_copy(update={"temperature": 0.0})

    def _start(self, dataset: str, model: str, *, measure: bool) -> int:
        spec, options = self.spec, self.spec.options
        if measure:
            options = self._greedy()
        elif spec.samples > 1 and options.temperature == 0:
            options = options.model_copy(update={"temperature": 0.7})
        request = RunRequest(
            dataset=dataset,
            model=model,
            engine=spec.engine,
            options=options,
            order=None if measure else spec.order,
            samples=1 if measure else spec.samples,
            seed=spec.seed + self.state.round,
            limit=None if measure else spec.limit,
            policy=PRESETS["agreement"] if measure else load_policy(spec.policy),
        )
        return self._space.launcher.start(request)[0]

    def _finish_run(self, run_id: int) -> dict[str, Any]:
        """Wait for a run, resuming one that was cut off."""
        space = self._space
        status = space.runs.get(run_id).status
        if status not in OPEN and status != JobStatus.FINISHED:
            space.launcher.resume(run_id)
        while (row := space.runs.get(run_id)).status in OPEN:
            space.supervise()
            time.sleep(_POLL_S)
        if row.status != JobStatus.FINISHED:
            raise RunError(
                f"run {run_id} {row.status}{': ' + row.error if row.error else ''}",
                hint=row.hint or f"`winnow loop resume {self._id}` goes on",
            )
        return space.runs.counts(run_id)
