"""Task instructions, and the messages a judge is given.

The messages are built here once, from a :class:`~backend.domain.pairs.ShownPair`, and every engine
and every exporter starts from them, so that what a judge sees at inference is what it is trained on.
Their form is the one that LightRFT's ``GRMDataset`` builds: the instruction as the system message,
then one user message a medium.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from backend.domain.captions import as_text, from_text
from backend.domain.pairs import MediaKind, Preference
from backend.errors import UsageError

CAPTION_PLACE = "{prompt}"

_T2I_COT = """\
You compare two images that were generated from the same caption and decide which of them a person would prefer.

Caption: {prompt}

Judge Image 1 and Image 2 on three dimensions. For each dimension give both images a short rationale and a score from 1 (very poor) to 10 (excellent):
1. Semantic consistency: does the image show what the caption asks for, with the right subjects, attributes, counts and relations?
2. Aesthetics: how good are composition, colour, light and the overall impression?
3. Authenticity: is the image free of noise, artifacts, distortions and things that could not be?
Then add the scores of each image to its total score; the image with the higher total score is better.

Write the reasoning inside <think> tags, in this form:
<think>
Semantic consistency: Image 1 rationale (score/10); Image 2 rationale (score/10)
Aesthetics: Image 1 rationale (score/10); Image 2 rationale (score/10)
Authenticity: Image 1 rationale (score/10); Image 2 rationale (score/10)
Total score:
Image 1: sum of its scores
Image 2: sum of its scores
</think>
After the reasoning write exactly one of these two lines and nothing else:
<answer>Image 1 is better</answer>
<answer>Image 2 is better</answer>"""

_T2V_COT = """\
You compare two videos that were generated from the same caption and decide which of them a person would prefer.

Caption: {prompt}

Judge Video 1 and Video 2 on three dimensions. For each dimension give both videos a short rationale and a score from 1 (very poor) to 10 (excellent):
1. Semantic consistency: does the video show what the caption asks for, with the right subjects, attributes, actions and relations?
2. Temporal coherence: is the motion smooth and plausible, and do things keep their identity from frame to frame?
3. Authenticity: is the video free of noise, artifacts, distortions and things that could not be?
Then add the scores of each video to its total score; the video with the higher total score is better.

Write the reasoning inside <think> tags, in this form:
<think>
Semantic consistency: Video 1 rationale (score/10); Video 2 rationale (score/10)
Temporal coherence: Video 1 rationale (score/10); Video 2 rationale (score/10)
Authenticity: Video 1 rationale (score/10); Video 2 rationale (score/10)
Total score:
Video 1: sum of its scores
Video 2: sum of its scores
</think>
After the reasoning write exactly one of these two lines and nothing else:
<answer>Video 1 is better</answer>
<answer>Video 2 is better</answer>"""

_DIRECT = """\
You compare two {noun}s that were generated from the same caption and decide which of them a person would prefer.

Caption: {prompt}

Look at {Noun} 1 and {Noun} 2 and weigh {dimensions}.
Write exactly one of these two lines and nothing else:
<answer>{Noun} 1 is better</answer>
<answer>{Noun} 2 is better</answer>"""

DIMENSIONS: dict[MediaKind, tuple[str, ...]] = {
    MediaKind.IMAGE: ("semantic consistency", "aesthetics", "authenticity"),
    MediaKind.VIDEO: ("semantic consistency", "temporal coherence", "authenticity"),
}
"""The dimensions that the default instruction asks for, lower case, in its order."""


def noun(kind: MediaKind) -> str:
    """``"Image"`` or ``"Video"``: what a judge calls a medium of this kind."""
    return kind.value.capitalize()


def default_instruction(kind: MediaKind, *, use_cot: bool = True) -> str:
    """Winnow's own task instruction, with ``{prompt}`` as the place of the caption.

    Args:
        use_cot: Ask for reasoning and scores in ``<think>``; otherwise for the answer alone.
    """
    if use_cot:
        return _T2I_COT if kind is MediaKind.IMAGE else _T2V_COT
    *most, last = DIMENSIONS[kind]
    text = _DIRECT.replace("{noun}", kind.value).replace("{Noun}", noun(kind))
    return text.replace("{dimensions}", f"{', '.join(most)} and {last}")


def check_instruction(template: str) -> str:
    """The template as it is.

    Raises:
        UsageError: It has no place for the caption, so that a judge would never see one.
    """
    if CAPTION_PLACE not in template:
        raise UsageError(
            f"the task instruction has no {CAPTION_PLACE}",
            hint=f"write {CAPTION_PLACE} where the caption of each pair belongs",
        )
    return template


def fill_instruction(template: str, prompt: str) -> str:
    """The instruction for one caption.

    Only the literal ``{prompt}`` is replaced, in one pass: other braces in the template, and any
    braces in the caption, stay as they are. A template without ``{prompt}`` is used as it stands.
    What the caption spells stays text, see :mod:`backend.domain.captions`.
    """
    return as_text(prompt).join(template.split(CAPTION_PLACE))


def caption_from(template: str, instruction: str) -> str | None:
    """The caption with which :func:`fill_instruction` made ``instruction`` of ``template``.

    Returns:
        ``None`` when it was not made of it, or the template has no place for a caption.
    """
    parts = template.split(CAPTION_PLACE)
    if len(parts) == 1:
        return None
    length, rest = divmod(len(instruction) - sum(map(len, parts)), len(parts) - 1)
    if rest or length < 0:
        return None
    caption = instruction[len(parts[0]) :][:length]
    return from_text(caption) if caption.join(parts) == instruction else None


@cache
def answer_text(kind: MediaKind, answer: Preference) -> str:
    """The words inside ``<answer>`` that name ``answer``, relative to the shown order."""
    if answer is Preference.TIE:
        return f"Both {kind.value}s are equally good"
    return f"{noun(kind)} {1 if answer is Preference.FIRST else 2} is better"


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words in a message."""

    text: str


@dataclass(frozen=True, slots=True)
class MediaPart:
    """The place of a medium in a message: ``first`` or ``second`` of the shown pair."""

    side: Literal["first", "second"]
    kind: MediaKind


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation with a judge."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[TextPart | MediaPart, ...]


def judge_messages(kind: MediaKind, instruction: str) -> tuple[Message, ...]:
    """The conversation a judge is given, without its answer.

    Args:
        instruction: A task instruction with the caption already filled in.

    Returns:
        ``system`` (instruction); ``user`` (``**Image 1:**`` and the first medium); ``user``
        (``**Image 2:**`` and the second). ``Video`` for videos.
    """
    sides: Sequence[Literal["first", "second"]] = ("first", "second")
    return (
        Message("system", (TextPart(instruction),)),
        *(
            Message("user", (TextPart(f"**{noun(kind)} {number}:**"), MediaPart(side, kind)))
            for number, side in enumerate(sides, start=1)
        ),
    )
