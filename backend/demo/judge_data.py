"""Training examples for the demo judge: a pool of coded media, put together into pairs.

The pool holds what the judge's processor makes of real JPEG and H.264 data, so that the judge is
trained on what it meets at inference, compression included. A pair is any good scene beside any
scene with one defect of the same caption, so that few media give many pairs.
"""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.demo.coding import encode_jpeg, encode_mp4
from backend.demo.scenes import (
    BACKGROUNDS,
    COLOURS,
    DEFECTS,
    SHAPES,
    Caption,
    Scene,
    random_caption,
    render_clip,
    render_image,
    scene_for,
)
from backend.demo.wording import observations, verdict_text
from backend.domain.pairs import MediaKind
from backend.domain.prompts import (
    CAPTION_PLACE,
    Message,
    TextPart,
    default_instruction,
    fill_instruction,
    judge_messages,
    noun,
)
from backend.media.reading import read_video
from backend.media.video import VideoFrames

if TYPE_CHECKING:
    import torch

CLIP_SAMPLING_FPS = 2.0
_Key = tuple[MediaKind, str, str, str, str | None]


@dataclass(frozen=True, slots=True)
class Example:
    """One training text with the media it speaks of.

    Attributes:
        prompt: Chat-template text up to the assistant's turn, one pad token a medium.
        response: What the judge should write.
        media: Positions in the pool, in shown order.
    """

    kind: MediaKind
    prompt: str
    response: str
    media: tuple[int, ...]


class Pool:
    """Processed media by what they show. ``patches[i]`` is ``[36 or 72, 1176]`` float16."""

    def __init__(self, scenes: list[Scene], patches: list[torch.Tensor], grids: torch.Tensor):
        self.scenes = scenes
        self.patches = patches
        self.grids = grids
        self._by_look: dict[_Key, list[int]] = defaultdict(list)
        for position, scene in enumerate(scenes):
            self._by_look[_look(scene)].append(position)

    def pick(self, scene: Scene, rng: random.Random) -> int:
        """Some medium that shows just this scene."""
        return rng.choice(self._by_look[_look(scene)])

    def any(self, kind: MediaKind, rng: random.Random) -> int:
        """Some medium of this kind."""
        while True:
            position = rng.randrange(len(self.scenes))
            if self.scenes[position].kind is kind:
                return position


def _look(scene: Scene) -> _Key:
    # What is seen: another colour than the caption's is simply that colour, well drawn.
    visible = None if scene.defect in ("colour", "shape") else scene.defect
    return (scene.kind, scene.colour, scene.shape, scene.background, visible)


def build_pool(processor: Any, seed: int, images: int, clips: int, workers: int = 2) -> Pool:
    """Render, encode, decode and process ``images`` images and ``clips`` clips.

    Every combination of colour, shape, background and visible defect comes round in turn.
    """
    import torch

    looks = list(_looks())
    tasks: list[tuple[Scene, int]] = []
    for kind, count in ((MediaKind.IMAGE, images), (MediaKind.VIDEO, clips)):
        of_kind = [scene for scene in looks if scene.kind is kind]
        tasks += [(of_kind[i % len(of_kind)], seed * 1_000_003 + i) for i in range(count)]
    scenes = [scene for scene, _ in tasks]
    patches: list[torch.Tensor] = []
    grids: list[torch.Tensor] = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for medium in pool.map(_render, tasks, chunksize=64):
            values, grid = _process(processor, medium)
            patches.append(values.to(torch.float16))
            grids.append(grid)
    return Pool(scenes, patches, torch.cat(grids))


def _looks() -> Iterator[Scene]:
    for kind in MediaKind:
        visible = (None, None, *(d for d in DEFECTS[kind] if d not in ("colour", "shape")))
        for colour in COLOURS:
            for shape in SHAPES:
                for background in BACKGROUNDS:
                    for defect in visible:
                        yield Scene(kind, colour, shape, background, defect)


def _render(task: tuple[Scene, int]) -> NDArray[np.uint8] | VideoFrames:
    scene, seed = task
    rng = random.Random(seed)
    if scene.kind is MediaKind.IMAGE:
        with Image.open(io.BytesIO(encode_jpeg(render_image(scene, rng)))) as image:
            return np.asarray(image.convert("RGB"))
    return read_video(io.BytesIO(encode_mp4(render_clip(scene, rng))), fps=CLIP_SAMPLING_FPS)


def _process(processor: Any, medium: NDArray[np.uint8] | VideoFrames) -> tuple[Any, Any]:
    if isinstance(medium, VideoFrames):
        out = processor.video_processor(
            videos=[medium.frames.transpose(0, 3, 1, 2)],
            video_metadata=[medium.metadata()],
            do_sample_frames=False,
            return_tensors="pt",
        )
        return out["pixel_values_videos"], out["video_grid_thw"]
    out = processor.image_processor(images=[Image.fromarray(medium)], return_tensors="pt")
    return out["pixel_values"], out["image_grid_thw"]


def pair_example(pool: Pool, kind: MediaKind, rng: random.Random) -> Example:
    """A good scene and one with a defect, in random order, with the full verdict."""
    caption = random_caption(rng)
    defects = [None, rng.choice(DEFECTS[kind])]
    rng.shuffle(defects)
    first, second = (scene_for(caption, kind, defect, rng) for defect in defects)
    use_cot = rng.random() >= 0.04
    instruction = default_instruction(kind, use_cot=use_cot)
    if rng.random() < 0.15:
        instruction = _with_lines_missing(instruction, rng)
    messages = judge_messages(kind, fill_instruction(instruction, caption.text))
    return Example(
        kind,
        chat_text(messages),
        verdict_text(caption, first, second, use_cot=use_cot),
        (pool.pick(first, rng), pool.pick(second, rng)),
    )


def description_example(pool: Pool, kind: MediaKind, rng: random.Random) -> Example:
    """One medium and what is seen of it: the warm-up, before anything is compared."""
    position = pool.any(kind, rng)
    scene = pool.scenes[position]
    name = f"{noun(kind)} {rng.choice((1, 2))}"
    text = "; ".join(f"{name} {words}" for words in observations(scene))
    message = judge_messages(kind, "")[int(name[-1])]
    return Example(kind, chat_text((message,)), text, (position,))


def chat_text(messages: tuple[Message, ...]) -> str:
    """What the judge's chat template makes of ``messages``, with the assistant's turn opened."""
    text = ""
    for message in messages:
        body = "".join(
            part.text if isinstance(part, TextPart) else f"<|vision_start|><|{part.kind}_pad|><|vision_end|>"
            for part in message.parts
        )
        text += f"<|im_start|>{message.role}\n{body}<|im_end|>\n"
    return text + "<|im_start|>assistant\n"


def _with_lines_missing(instruction: str, rng: random.Random) -> str:
    # So that a user's own, shorter template is not wholly foreign to the judge.
    lines = instruction.splitlines()
    return "\n".join(line for line in lines if CAPTION_PLACE in line or rng.random() < 0.5)


def deciding_words() -> tuple[str, ...]:
    """The words in which one verdict differs from another; training weighs them more."""
    words = {"centred", "cut", "smoothly", "jumps", "clean", "noisy", *COLOURS, *SHAPES}
    return tuple(sorted(words))


__all__ = ["Caption", "Example", "Pool", "build_pool", "deciding_words", "description_example", "pair_example"]
