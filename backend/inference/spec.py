"""What a run does, frozen when it starts."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from backend.domain.pairs import MediaKind, OrderPolicy
from backend.domain.prompts import check_instruction, default_instruction, fill_instruction
from backend.engines.base import EngineOptions
from backend.options import option

MAX_SEED = 1 << 62
"""Larger ones could not be read from a run's row again."""
MAX_SAMPLES = 1 << 16
"""Completions for one shown pair, as many as an import can hold."""


SAMPLED_AT = 0.7
"""Temperature of several samples, where none is given."""


class RunOptions(BaseModel):
    """How a run judges, beside what its engine is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int = option(
        1,
        "Completions for each shown pair",
        group="How much",
        ge=1,
        le=MAX_SAMPLES,
        when="several judgments of each pair, to filter by agreement",
    )
    seed: int = option(
        0,
        "Of the shuffled order and of the samples",
        group="How much",
        ge=-MAX_SEED,
        le=MAX_SEED,
        when="another shuffle and other samples",
    )
    limit: int | None = option(
        None, "Judge only the first pairs", group="How much", ge=1, when="to try something on the first pairs only"
    )
    use_cot: bool = option(
        True, "Ask for reasoning", group="Prompt", when="off for a judge that was trained to answer at once"
    )
    instruction: str | None = option(
        None,
        "Task instruction, or a file of it; {prompt} is the caption's place",
        group="Prompt",
        long=True,
        flag="--task-instruction",
        when="for a judge trained on other words; {prompt} is the caption's place",
    )


class RunSpec(BaseModel):
    """Everything that decides what a run asks its judge. Stored with the run and never changed.

    Attributes:
        instruction: The template of each media kind, ``{prompt}`` being the caption's place.
        order: ``dataset``, ``shuffled`` (drawn from ``seed`` and the pair's key) or ``both``.
        limit: Judge only the first so many pairs; ``None`` judges all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    engine: str
    options: EngineOptions = EngineOptions()
    order: OrderPolicy = OrderPolicy.DATASET
    samples: int = Field(1, ge=1)
    seed: int = 0
    limit: int | None = Field(None, ge=1)
    use_cot: bool = True
    instruction: dict[MediaKind, str]

    def instruction_for(self, kind: MediaKind, prompt: str) -> str:
        """The instruction a judge gets for one caption."""
        return fill_instruction(self.instruction[kind], prompt)


def instructions(template: str | Mapping[MediaKind, str] | None, *, use_cot: bool) -> dict[MediaKind, str]:
    """The user's template for every kind, or for some, and Winnow's own where there is none.

    Raises:
        UsageError: The user's has no place for the caption.
    """
    given = dict.fromkeys(MediaKind, template) if isinstance(template, str) else template or {}
    for one in filter(None, given.values()):
        check_instruction(one)
    return {kind: given.get(kind) or default_instruction(kind, use_cot=use_cot) for kind in MediaKind}
