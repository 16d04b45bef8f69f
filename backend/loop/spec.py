"""What a loop does, how far it is, and the runs it asks for."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.domain.filtering import PRESETS, load_policy
from backend.domain.pairs import OrderPolicy
from backend.engines.base import EngineOptions
from backend.engines.registry import asks_servers
from backend.inference.launch import RunRequest


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


class LoopSpec(BaseModel):
    """What a loop does. Once it has begun, only what no step has used yet may be replaced.

    Attributes:
        holdout: Dataset that each round's judge is measured on; the first one too.
        samples: Completions for each shown pair of a round.
        policy: Filter policy, as a mapping.
        options: Of the engine in a round; measuring is greedy.
        instruction: The template that every round's judge is asked with; ``None`` is Winnow's own.
        serve: Arguments, with ``{model}``, of the server that each judge is asked of by engine
            ``openai``; see :mod:`backend.loop.serving`.
        training: Values of the training's spec, by name; its model and folder are the loop's.
        balance: Freeze as many rows that answer first as second.
        output_dir: Folder of the trainings, one a round; ``None`` is the workspace's own.
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
    use_cot: bool = True
    instruction: str | None = None
    options: EngineOptions = EngineOptions()
    serve: tuple[str, ...] = ()
    trainer: Literal["local", "lightrft", "command"] = "local"
    training: dict[str, Any] = Field(default_factory=dict)
    balance: bool = True
    pause_for_review: bool = False
    output_dir: str | None = None

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
            engine=self.engine,
            options=self.options,
            order=self.order,
            samples=self.samples,
            seed=self.seed + number,
            limit=self.limit,
            use_cot=self.use_cot,
            instruction=self.instruction,
            policy=load_policy(self.policy),
        )

    def baseline_request(self, holdout: str, number: int) -> RunRequest:
        """The run that measures the judge there was before the loop."""
        return RunRequest(
            dataset=holdout,
            model=self.model,
            engine=self.engine,
            options=self.greedy,
            seed=self.seed + number,
            use_cot=self.use_cot,
            instruction=self.instruction,
            policy=PRESETS["agreement"],
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
