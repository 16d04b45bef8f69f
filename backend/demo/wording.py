"""What the demo judge is taught to say about two scenes.

The form is the one that the default task instruction asks for; the rationale of each score stands
right before it, and the caption is repeated first, because a small model compares what stands near
in its own text.
"""

from __future__ import annotations

from backend.demo.scenes import Caption, Scene
from backend.domain.pairs import MediaKind, Preference
from backend.domain.prompts import answer_text, noun

GOOD = {"semantic": 9, "middle": 9, "authenticity": 8}
POOR = {"semantic": 3, "middle": 4, "authenticity": 3}
"""Scores of a side without and with the defect of a dimension; ``middle`` is aesthetics or coherence."""

_MIDDLE_NAME = {MediaKind.IMAGE: "Aesthetics", MediaKind.VIDEO: "Temporal coherence"}
_MIDDLE_DEFECT = {MediaKind.IMAGE: "crop", MediaKind.VIDEO: "jump"}
_MIDDLE_WORDS = {MediaKind.IMAGE: ("is centred", "is cut off"), MediaKind.VIDEO: ("moves smoothly", "jumps about")}


def scores(scene: Scene) -> tuple[int, int, int]:
    """Semantic consistency, aesthetics or coherence, authenticity: each 1 to 10."""
    return (
        (POOR if scene.defect in ("colour", "shape") else GOOD)["semantic"],
        (POOR if scene.defect == _MIDDLE_DEFECT[scene.kind] else GOOD)["middle"],
        (POOR if scene.defect == "noise" else GOOD)["authenticity"],
    )


def observations(scene: Scene) -> tuple[str, str, str]:
    """One short rationale a dimension, as a verb phrase."""
    good, poor = _MIDDLE_WORDS[scene.kind]
    return (
        f"shows {scene.thing}",
        poor if scene.defect == _MIDDLE_DEFECT[scene.kind] else good,
        "is noisy" if scene.defect == "noise" else "is clean",
    )


def verdict_text(caption: Caption, first: Scene, second: Scene, *, use_cot: bool = True) -> str:
    """The whole completion for a shown pair, in the shown order."""
    kind = first.kind
    name = noun(kind)
    ours, theirs = scores(first), scores(second)
    total_1, total_2 = sum(ours), sum(theirs)
    better = Preference.FIRST if total_1 > total_2 else Preference.SECOND
    answer = f"<answer>{answer_text(kind, better)}</answer>"
    if not use_cot:
        return answer
    dimensions = ("Semantic consistency", _MIDDLE_NAME[kind], "Authenticity")
    lines = [f"Caption: {caption.text}"]
    for dimension, one, two, a, b in zip(
        dimensions, observations(first), observations(second), ours, theirs, strict=True
    ):
        lines.append(f"{dimension}: {name} 1 {one} ({a}/10); {name} 2 {two} ({b}/10)")
    lines += [
        "Total score:",
        f"{name} 1: {'+'.join(map(str, ours))}={total_1}",
        f"{name} 2: {'+'.join(map(str, theirs))}={total_2}",
    ]
    reasoning = "\n".join(lines)
    return f"<think>\n{reasoning}\n</think>\n{answer}"
