"""Teaching the demo judge's vision tower to see, before it is asked for words.

Measured: told to describe what it sees, the judge names colours at once, but not a shape: after
400 steps that was still at chance. Linear heads on the tower's own output ask for nothing else, cost no
language model, and saw nine shapes of ten after 1,200 steps. They are thrown away afterwards.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from backend.demo.judge_data import Pool
from backend.demo.scenes import BACKGROUNDS, COLOURS, SHAPES, Scene
from backend.domain.pairs import MediaKind

if TYPE_CHECKING:
    import torch
    from torch import nn

_MISPLACED = ("crop", "jump")
CLASSES = {
    "colour": tuple(COLOURS),
    "shape": SHAPES,
    "background": tuple(BACKGROUNDS),
    "placed": (False, True),
    "clean": (False, True),
}
"""What each head tells apart."""


def sight_classes(scene: Scene) -> list[int]:
    """The class of ``scene`` under each head, in the order of :data:`CLASSES`."""
    seen = {
        "colour": scene.colour,
        "shape": scene.shape,
        "background": scene.background,
        "placed": scene.defect not in _MISPLACED,
        "clean": scene.defect != "noise",
    }
    return [classes.index(seen[name]) for name, classes in CLASSES.items()]


def build_heads(hidden_size: int) -> nn.ModuleDict:
    """One linear head a property, over the mean of a medium's vision tokens ``[hidden_size]``."""
    from torch import nn

    return nn.ModuleDict({name: nn.Linear(hidden_size, len(classes)) for name, classes in CLASSES.items()})


def sight_loss(
    visual: Any, heads: nn.ModuleDict, pool: Pool, kind: MediaKind, batch_size: int, rng: random.Random
) -> torch.Tensor:
    """The summed cross-entropy of all heads over ``batch_size`` media of one kind; a scalar."""
    import torch
    from torch.nn.functional import cross_entropy

    positions = [pool.any(kind, rng) for _ in range(batch_size)]
    patches = torch.cat([pool.patches[position] for position in positions]).float()
    tokens = visual(patches, grid_thw=pool.grids[positions]).pooler_output
    # Media of one kind have as many tokens each.
    features = tokens.view(batch_size, -1, tokens.shape[-1]).mean(1)
    classes = torch.tensor([sight_classes(pool.scenes[position]) for position in positions])
    losses = [cross_entropy(head(features), classes[:, n]) for n, head in enumerate(heads.values())]
    return torch.stack(losses).sum()
