"""Whether a training would show the judge what it was shown when it was judging.

A set's lineage holds the spec of every run behind it. Texts that were imported or replayed were written
elsewhere: nothing is known of what their judge saw, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from backend.domain.pairs import MediaKind
from backend.domain.preflight import Check, Level
from backend.domain.prompts import default_instruction
from backend.engines.models import pixel_limit
from backend.store.sets import SetRow
from backend.training.spec import TrainingSpec

_WRITTEN_ELSEWHERE = ("import", "scripted")


def as_judged(spec: TrainingSpec, sets: Sequence[SetRow]) -> Iterator[Check]:
    """Instruction, frames and pixels of the runs behind the sets, against those of the training."""
    kinds = [kind for kind in MediaKind if any(kind in ref.kinds for ref in spec.sets)]
    runs = [run for row in sets for run in row.lineage.get("runs", ())]
    yield _instruction(spec, kinds, [run["spec"] for run in runs])
    seen = [run["spec"] for run in runs if run["spec"]["engine"] not in _WRITTEN_ELSEWHERE]
    if MediaKind.VIDEO in kinds:
        yield from _frames(spec, seen)
    yield from _pixels(spec, kinds, seen)


def _instruction(spec: TrainingSpec, kinds: list[MediaKind], runs: list[dict[str, Any]]) -> Check:
    """Rows carry the instruction that they were judged with; what is asked later may be another."""
    for kind in kinds:
        found = {
            (run.get("instruction") or {}).get(kind.value)
            or default_instruction(kind, use_cot=bool(run.get("use_cot", True)))
            for run in runs
        }
        if spec.task_instruction is not None and found - {spec.task_instruction}:
            return Check(
                "Instruction", Level.FAIL,
                "the sets were judged under another instruction than later runs will ask with",
                "leave --task-instruction out: `winnow train evaluate` asks as the sets were judged",
            )  # fmt: skip
        if len(found) > 1:
            return Check(
                "Instruction", Level.WARN,
                f"the runs behind the sets asked with {len(found)} instructions for {kind.value}s",
                "train on runs of one instruction, or the judge learns a mixture",
            )  # fmt: skip
    return Check("Instruction", Level.OK, "the same in training as at inference")


def _frames(spec: TrainingSpec, runs: list[dict[str, Any]]) -> Iterator[Check]:
    rates = sorted({float((run.get("options") or {}).get("video_fps", 2.0)) for run in runs})
    if rates in ([], [spec.fps]):
        return
    said = f"the judge saw {_listed(rates)} frames a second, training shows {spec.fps:g}"
    yield Check("Frames", Level.FAIL, said, _way_out("--fps", rates, "frame rate"))


def _pixels(
    spec: TrainingSpec, kinds: list[MediaKind], runs: list[dict[str, Any]]
) -> Iterator[Check]:
    """Compared as they reach the model: its own processor may let fewer through than were asked for."""
    for kind in kinds:
        own = pixel_limit(spec.model, kind)
        shown = _least(spec.max_pixels, own)
        seen = []
        for run in runs:
            asked, limit = (
                (run.get("options") or {}).get("max_pixels"),
                pixel_limit(run["model"], kind),
            )
            # A name on a server or a hub says nothing; it is the judge that is trained, as a rule.
            seen.append(_least(asked, own if limit is None and asked else limit))
        known = sorted({pixels for pixels in seen if pixels is not None})
        if known and known != [shown]:
            yield Check(
                "Pixels", Level.FAIL,
                f"the judge saw {kind.value}s of at most {_listed(known)} pixels, "
                f"training shows {shown:,}",
                _way_out("--max-pixels", known, "number of pixels"),
            )  # fmt: skip
            return
        if None in seen:
            yield Check(
                "Pixels", Level.WARN,
                "an older run showed as many pixels as its model's processor let through, and its "
                "model is not here to tell",
                "judge again with --max-pixels",
            )  # fmt: skip
            return


def _least(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)


def _listed(numbers: Sequence[float]) -> str:
    return " and ".join(f"{number:,g}" if number < 1e6 else f"{number:,.0f}" for number in numbers)


def _way_out(option: str, found: Sequence[float], what: str) -> str:
    if len(found) == 1:
        return f"{option} {found[0]:g}" if found[0] < 1e6 else f"{option} {found[0]:.0f}"
    return f"no {option} fits runs of several; train on sets of one {what}, or judge again with one"
