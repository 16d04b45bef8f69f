"""What a loop does, how far it is, and the runs it asks for."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backend.domain.filtering import PRESETS, load_policy
from backend.domain.pairs import OrderPolicy
from backend.engines.base import EngineOptions
from backend.engines.registry import asks_servers
from backend.inference.launch import RunRequest
from backend.inference.spec import MAX_SAMPLES, MAX_SEED, RunOptions
from backend.training.registry import DEFAULT


class Step(StrEnum):
    """What comes next in a round."""

    BASELINE = "baseline"
    INFER = "infer"
    REVIEW = "review"
    FREEZE = "freeze"
    TRAIN = "train"
    EVALUATE = "evaluate"
    DONE = "done"
    CANCELLED = "cancelled"


class LoopSpec(RunOptions):
    """What a loop does. Once it has begun, only what no step has used yet may be replaced.

    Attributes:
        holdout: Dataset that each round's judge is measured on; the first one too.
        samples: Completions for each shown pair of a round.
        policy: Filter policy, as a mapping.
        options: Of the engine in a round; measuring is greedy.
        serve: Arguments, with ``{model}``, of the server that each judge is asked of by engine
            ``openai``; see :mod:`backend.loop.serving`.
        training: Values of the training's spec, by name; its model and folder are the loop's.
        balance: Freeze as many rows that answer first as second.
        output_dir: Folder of the trainings, one a round; ``None`` is the workspace's own.
    """

    dataset: str
    model: str
    rounds: int = Field(2, ge=1)
    holdout: str | None = None
    engine: str = "auto"
    order: OrderPolicy | None = None
    samples: int = Field(4, ge=1, le=MAX_SAMPLES)
    policy: dict[str, Any] = Field(default_factory=PRESETS["agreement"].to_mapping)
    options: EngineOptions = EngineOptions()
    serve: tuple[str, ...] = ()
    trainer: str = DEFAULT
    training: dict[str, Any] = Field(default_factory=dict)
    balance: bool = True
    pause_for_review: bool = False
    output_dir: str | None = None

    @property
    def _asked(self) -> dict[str, Any]:
        """How the judges are asked, in every run."""
        return {"engine": self.engine, "use_cot": self.use_cot, "instruction": self.instruction}

    def _seed(self, number: int) -> int:
        return min(self.seed + number, MAX_SEED)

    @property
    def by_server(self) -> bool:
        """Whether the judges are asked of servers."""
        return asks_servers(self.engine, self.options)

    @property
    def greedy(self) -> EngineOptions:
        """The engine's options when a judge is measured."""
        return self.options.model_copy(update={"temperature": 0.0})

    def round_request(self, model: str, number: int) -> RunRequest:
        """The run that a round trains on."""
        return RunRequest(
            dataset=self.dataset,
            model=model,
            options=self.options,
            order=self.order,
            samples=self.samples,
            seed=self._seed(number),
            limit=self.limit,
            policy=load_policy(self.policy),
            **self._asked,
        )

    def baseline_request(self, holdout: str, number: int) -> RunRequest:
        """The run that measures the judge there was before the loop."""
        return RunRequest(
            dataset=holdout,
            model=self.model,
            options=self.greedy,
            seed=self._seed(number),
            policy=PRESETS["agreement"],
            **self._asked,
        )


class LoopState(BaseModel):
    """How far a loop is.

    Attributes:
        round: Counted from 1.
        baseline: Run of the first judge on the held-out dataset.
        made: What each round has made so far: ``run``, ``set``, ``training``, ``checkpoint``,
            ``evaluation``; and ``given_up``, trainings that others with other options replaced.
    """

    model_config = ConfigDict(extra="forbid")

    round: int = 1
    step: Step = Step.BASELINE
    baseline: int | None = None
    made: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def now(self) -> dict[str, Any]:
        """What this round has made so far."""
        while len(self.made) < self.round:
            self.made.append({})
        return self.made[self.round - 1]
