"""Scenes that a caption describes, rendered well or with exactly one known defect.

A demo caption names a coloured shape on a background. The better side of a pair shows just that;
the worse side has one defect, and each defect belongs to one of the dimensions a judge scores:

=============  =====================  ===========================================
defect         dimension              what one sees
=============  =====================  ===========================================
``colour``     semantic consistency   another colour than the caption's
``shape``      semantic consistency   another shape
``crop``       aesthetics (images)    the shape is cut off by the edge
``jump``       coherence (videos)     the shape jumps from place to place
``noise``      authenticity           coarse noise over everything
=============  =====================  ===========================================
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from backend.domain.pairs import MediaKind

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "green": (40, 160, 70),
    "blue": (45, 85, 215),
    "yellow": (240, 205, 40),
    "purple": (140, 60, 180),
    "orange": (240, 130, 30),
}
SHAPES = ("circle", "square", "triangle")
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (245, 245, 245),
    "black": (28, 28, 32),
    "grey": (150, 156, 164),
}
DEFECTS: dict[MediaKind, tuple[str, ...]] = {
    MediaKind.IMAGE: ("colour", "shape", "crop", "noise"),
    MediaKind.VIDEO: ("colour", "shape", "jump", "noise"),
}
SIZE = 240
"""Edge of every rendered frame, pixels."""
CLIP_FPS = 12
CLIP_FRAMES = 24


@dataclass(frozen=True, slots=True)
class Caption:
    """What both sides of a pair were asked to show."""

    colour: str
    shape: str
    background: str

    @property
    def text(self) -> str:
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {self.shape} on {self.background}"


@dataclass(frozen=True, slots=True)
class Scene:
    """What one side really shows. ``defect`` is ``None`` for the better side."""

    kind: MediaKind
    colour: str
    shape: str
    background: str
    defect: str | None

    @property
    def thing(self) -> str:
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {self.shape}"


def random_caption(rng: random.Random) -> Caption:
    """A caption drawn uniformly from all combinations."""
    return Caption(rng.choice(list(COLOURS)), rng.choice(SHAPES), rng.choice(list(BACKGROUNDS)))


def scene_for(caption: Caption, kind: MediaKind, defect: str | None, rng: random.Random) -> Scene:
    """The scene that ``caption`` asks for, or that scene with ``defect``."""
    colour, shape = caption.colour, caption.shape
    if defect == "colour":
        colour = rng.choice([name for name in COLOURS if name != colour])
    elif defect == "shape":
        shape = rng.choice([name for name in SHAPES if name != shape])
    return Scene(kind, colour, shape, caption.background, defect)


def render_image(scene: Scene, rng: random.Random, size: int = SIZE) -> Image.Image:
    """One RGB image of ``scene``, ``size`` pixels square."""
    radius = rng.uniform(0.22, 0.33) * size
    centre = size / 2
    x, y = centre + rng.uniform(-0.08, 0.08) * size, centre + rng.uniform(-0.08, 0.08) * size
    if scene.defect == "crop":
        # Between a quarter and a half of the shape lies outside.
        shift = rng.uniform(0.0, 0.5) * radius
        edge = rng.choice(("left", "right", "top", "bottom"))
        if edge in ("left", "right"):
            x = shift if edge == "left" else size - shift
        else:
            y = shift if edge == "top" else size - shift
    frame = _draw(scene, x, y, radius, size)
    if scene.defect == "noise":
        frame = _noisy(frame, rng.uniform(28, 60), rng)
    return Image.fromarray(frame)


def render_clip(scene: Scene, rng: random.Random, size: int = SIZE) -> NDArray[np.uint8]:
    """``[CLIP_FRAMES, size, size, 3]`` uint8: the shape drifts evenly, or jumps every half second."""
    radius = rng.uniform(0.18, 0.26) * size
    heading = rng.uniform(0, 2 * np.pi)
    travel = rng.uniform(0.1, 0.22) * size
    step = np.array([np.cos(heading), np.sin(heading)]) * travel
    middle = size / 2 + np.array([rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05)]) * size
    noise = rng.uniform(28, 60)
    frames = []
    place = middle
    for t in range(CLIP_FRAMES):
        if scene.defect == "jump":
            if t % (CLIP_FPS // 2) == 0:
                before = place
                while np.abs(place - before).max() < 0.2 * size:
                    place = np.array([rng.uniform(0.24, 0.76), rng.uniform(0.24, 0.76)]) * size
            where = place
        else:
            where = middle + step * (t / (CLIP_FRAMES - 1) - 0.5)
        frame = _draw(scene, float(where[0]), float(where[1]), radius, size)
        frames.append(_noisy(frame, noise, rng) if scene.defect == "noise" else frame)
    return np.stack(frames)


def _draw(scene: Scene, x: float, y: float, r: float, size: int) -> NDArray[np.uint8]:
    """The shape on its background, anti-aliased by drawing at twice the size."""
    image = Image.new("RGB", (2 * size, 2 * size), BACKGROUNDS[scene.background])
    pen, fill = ImageDraw.Draw(image), COLOURS[scene.colour]
    left, top, right, bottom = 2 * (x - r), 2 * (y - r), 2 * (x + r), 2 * (y + r)
    if scene.shape == "circle":
        pen.ellipse((left, top, right, bottom), fill=fill)
    elif scene.shape == "square":
        inset = 0.1 * 2 * r
        pen.rectangle((left + inset, top + inset, right - inset, bottom - inset), fill=fill)
    else:
        pen.polygon([(2 * x, top), (left, bottom), (right, bottom)], fill=fill)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def _noisy(frame: NDArray[np.uint8], sigma: float, rng: random.Random) -> NDArray[np.uint8]:
    """Coarse noise in blocks of four pixels, so that compression does not smooth it away."""
    size = frame.shape[0]
    source = np.random.default_rng(rng.getrandbits(64))
    grain = source.normal(0, sigma, (size // 4, size // 4, 3)).repeat(4, 0).repeat(4, 1)
    return np.clip(frame + grain, 0, 255).astype(np.uint8)
