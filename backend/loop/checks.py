"""What would stop a loop hours later, refused before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.domain.filtering import load_policy
from backend.domain.pairs import OrderPolicy
from backend.domain.preflight import Check, Level
from backend.errors import RunError, TrainingError, UsageError, WinnowError
from backend.hints import Field, Hint
from backend.inference.preflight import preflight as run_preflight
from backend.loop.serving import check_serving
from backend.loop.spec import LoopSpec
from backend.training.checks import preflight as training_preflight
from backend.training.folder import check_free
from backend.training.plan import devices_of
from backend.training.registry import load_trainer
from backend.training.spec import LoraSpec, SetRef, TrainingSpec
from backend.workspace import Workspace

_ITS_OWN: Mapping[str, Hint | str] = {
    "model": Hint("{model} names the first round's; each later one starts from the judge before it"),
    "output_dir": Hint("{output_dir} names the folder of all rounds"),
    "sets": "each round trains on the set that it froze",
    "trainer": Hint("{trainer} names it"),
}
"""What the loop itself says to the trainer, and where a person says it to the loop."""

_OF_ITS_SET = ("Rows",)
"""What fails where there is no set to look at, and is looked at again when there is one."""

_NO_SET_YET = SetRef(id=0, name="not-frozen-yet", version=1, content_hash="")


def check_loop(space: Workspace, spec: LoopSpec) -> None:
    """Everything that can be known of a loop before it has judged or frozen anything.

    Raises:
        NotFound: There is no such dataset.
        UsageError: The options contradict each other, or the trainer has no such option.
        PolicyError: The policy is none.
        RunError: A preflight found something that stops its runs.
        TrainingError: The same of its trainings.
    """
    for name in (spec.dataset, spec.holdout):
        if name is not None:
            space.datasets.get(name)
    if spec.holdout == spec.dataset:
        raise UsageError("the held-out dataset is the one that is trained on", hint=Hint("give another {holdout}"))
    check_serving(spec)
    policy = load_policy(spec.policy)
    if policy.plan.needs_both_orders and spec.order is not OrderPolicy.BOTH:
        raise UsageError(
            f"policy {policy.name} accepts only pairs that were judged in both orders", hint=Hint("{order:both}")
        )
    # Before anything is looked at on the machine: what was written wrongly is told first.
    training_spec(spec, model=spec.model, folder=Path(), sets=(_NO_SET_YET,))
    requests = [spec.round_request(spec.model, 1)]
    if spec.holdout is not None:
        requests.append(spec.baseline_request(spec.holdout, 1))
    for request in requests:
        pythons = space.settings.engine_pythons
        _refuse(run_preflight(space.database, space.folder, pythons, request), RunError)
    base = Path(spec.output_dir) if spec.output_dir else space.folder / "loops" / "new"
    folders = [base / f"round-{number}" for number in range(1, spec.rounds + 1)]
    for folder in folders[1:]:
        check_free(folder)
    check_training(space, spec, model=spec.model, folder=folders[0])


def check_training(space: Workspace, spec: LoopSpec, *, model: str, folder: Path) -> None:
    """A round's training, as far as that goes without its set.

    Raises:
        UsageError: The trainer has no such option, or its value is out of range.
        TrainingError: The preflight found something that stops it.
    """
    training = training_spec(spec, model=model, folder=folder, sets=(_NO_SET_YET,))
    trainer = load_trainer(training.trainer, space.tools)
    checks = training_preflight(space.database, space.folder, training, trainer, (), devices_of(training))
    _refuse([check for check in checks if check.name not in _OF_ITS_SET], TrainingError)


def training_spec(spec: LoopSpec, *, model: str, folder: Path, sets: Sequence[SetRef]) -> TrainingSpec:
    """What a round's training does.

    Raises:
        UsageError: There is no such option, or its value is out of range.
    """
    for name, hint in _ITS_OWN.items():
        if name in spec.training:
            raise UsageError("that is the loop's own to say", about=Field("train", name), hint=hint)
    try:
        return TrainingSpec(
            sets=tuple(sets),
            trainer=spec.trainer,
            model=model,
            output_dir=str(folder),
            **{**_as_judged(spec), **spec.training},
        )
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UsageError(
                "a training has no such option",
                about=Field("train", name),
                hint=f"one of {', '.join(training_options())}",
            ) from error
        raise UsageError(
            first["msg"], about=Field("train", name), hint=Hint("{TRAINING_OPTIONS} tells the options")
        ) from error


def _as_judged(spec: LoopSpec) -> dict[str, Any]:
    """What a training shows as its round's run did, unless it is told otherwise."""
    options = spec.options
    return _said({"fps": options.video_fps, "max_pixels": options.max_pixels, "task_instruction": spec.instruction})


def training_options() -> list[str]:
    """Names that a loop's ``--train`` takes."""
    names = [name for name in TrainingSpec.model_fields if name not in _ITS_OWN]
    return [*names, *(f"lora_{name}" for name in LoraSpec.model_fields)]


def with_values(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A training's values, some replaced; ``None`` is the default again, ``lora`` false no adapters."""
    values = {**before, **given}
    if isinstance(given.get("lora"), Mapping):
        values["lora"] = _said({**(before.get("lora") or {}), **given["lora"]})
    elif values.get("lora") is False:
        values["lora"] = None
    return _said(values)


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _refuse(checks: Iterable[Check], error: type[WinnowError]) -> None:
    for check in checks:
        if check.level is Level.FAIL:
            raise error(f"{check.name}: {check.message}", hint=check.hint)
