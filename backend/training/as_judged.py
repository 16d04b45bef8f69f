"""Whether a training would show the judge what it was shown when it was judging.

A set's lineage holds the spec of every run behind it. Texts that were imported or replayed were written
elsewhere: nothing is known of what their judge saw, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.domain.pairs import MediaKind
from backend.domain.preflight import Check, Level
from backend.engines.models import pixel_limit
from backend.engines.registry import ENGINES, replays
from backend.hints import Field, Hint
from backend.store.database import Database
from backend.store.sets import SetRow
from backend.training.asking import Asked, asked_by_kind, runs_by_kind
from backend.training.spec import TrainingSpec


def as_judged(database: Database, spec: TrainingSpec, sets: Sequence[SetRow]) -> Iterator[Check]:
    """Instruction, frames and pixels of the runs behind the sets, against those of the training."""
    yield _instruction(spec, asked_by_kind(database, sets))
    seen = {
        kind: [run for run in runs if run["engine"] in ENGINES and not replays(run["engine"])]
        for kind, runs in runs_by_kind(database, sets).items()
    }
    if MediaKind.VIDEO in seen:
        yield from _frames(spec, seen[MediaKind.VIDEO])
    yield from _pixels(spec, seen)


def _instruction(spec: TrainingSpec, asked: Mapping[MediaKind, set[Asked]]) -> Check:
    """Rows carry the instruction that they were judged with; what is asked later may be another.

    Two are one for each medium, where they are.
    """
    found = {kind: {one.template for one in of} for kind, of in asked.items()}
    later = spec.task_instruction
    for kind, templates in found.items():
        others = {one for other, of in found.items() if other != kind for one in of}
        of_another = later in others and later not in templates
        if later is not None and templates - {later} and not of_another:
            return Check(
                "Instruction",
                Level.FAIL,
                "the sets were judged under another instruction than later runs will ask with",
                Hint("leave {task_instruction} out: {EVALUATE_TRAINING} asks as the sets were judged"),
            )
        if len(templates) > 1:
            return Check(
                "Instruction",
                Level.WARN,
                f"the runs behind the sets asked with {len(templates)} instructions for {kind.value}s",
                "train on runs of one instruction, or the judge learns a mixture",
            )
    return Check("Instruction", Level.OK, "the same in training as at inference")


def _frames(spec: TrainingSpec, runs: list[dict[str, Any]]) -> Iterator[Check]:
    rates = sorted({float((run.get("options") or {}).get("video_fps", 2.0)) for run in runs})
    if rates in ([], [spec.fps]):
        return
    said = f"the judge saw {_listed(rates)} frames a second, training shows {spec.fps:g}"
    yield Check("Frames", Level.FAIL, said, _way_out("fps", rates, "frame rate"))


def _pixels(spec: TrainingSpec, runs_of: Mapping[MediaKind, list[dict[str, Any]]]) -> Iterator[Check]:
    """Compared as they reach the model: its own processor may let fewer through than were asked for."""
    for kind, runs in runs_of.items():
        own = pixel_limit(spec.model, kind)
        shown = _least(spec.max_pixels, own)
        seen = []
        for run in runs:
            asked, limit = ((run.get("options") or {}).get("max_pixels"), pixel_limit(run["model"], kind))
            # A name on a server or a hub says nothing; it is the judge that is trained, as a rule.
            seen.append(_least(asked, own if limit is None and asked else limit))
        known = sorted({pixels for pixels in seen if pixels is not None})
        if known and known != [shown]:
            yield Check(
                "Pixels",
                Level.FAIL,
                f"the judge saw {kind.value}s of at most {_listed(known)} pixels, training shows {shown:,}",
                _way_out("max_pixels", known, "number of pixels"),
            )
            return
        if None in seen:
            yield Check(
                "Pixels",
                Level.WARN,
                "an older run showed as many pixels as its model's processor let through, and its "
                "model is not here to tell",
                Hint("judge again with {max_pixels}"),
            )
            return


def _least(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)


def _listed(numbers: Sequence[float]) -> str:
    return " and ".join(f"{number:,g}" if number < 1e6 else f"{number:,.0f}" for number in numbers)


def _way_out(option: str, found: Sequence[float], what: str) -> Hint:
    if len(found) == 1:
        return Hint("{option}", option=Field(option, f"{found[0]:g}" if found[0] < 1e6 else f"{found[0]:.0f}"))
    return Hint(
        "no {option} fits runs of several; train on sets of one {what}, or judge again with one",
        option=Field(option),
        what=what,
    )
