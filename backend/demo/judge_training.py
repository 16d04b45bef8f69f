"""Training the demo judge from nothing, on a CPU: reproducible and resumable.

What a small judge cannot see it cannot learn to judge, so it learns one thing after the other: first
its vision tower alone tells what single media show (:mod:`backend.demo.judge_sight`), then the judge
describes them in words, then it judges pairs. There the tokens that differ between verdicts (the words
of an observation, the digits) weigh more than the form around them, which it knows after a hundred
steps. Every batch is drawn from the seed and the step alone, so a resumed training sees the batches
that an uninterrupted one would have seen.
"""

from __future__ import annotations

import json
import logging
import math
import random
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.demo.judge_data import Example, Pool, build_pool, deciding_words, description_example, pair_example
from backend.demo.judge_model import build_model, build_tokenizer, save_processor
from backend.demo.judge_sight import build_heads, sight_loss
from backend.domain.pairs import MediaKind
from backend.errors import DemoError
from backend.files import make_folder, write_whole

if TYPE_CHECKING:
    import torch
    from torch import nn

log = logging.getLogger(__name__)

STATE_FILE = "training_state.safetensors"
_DECIDING = re.compile(r"\b(?:" + "|".join(deciding_words()) + r")\b|\d+")
_MERGED_PATCHES = 4
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""What AdamW keeps of each parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTraining:
    """Hyperparameters of the demo judge's training."""

    seed: int = 0
    sight_steps: int = 2000
    sight_batch_size: int = 64
    description_steps: int = 300
    description_batch_size: int = 32
    pair_steps: int = 1600
    batch_size: int = 16
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    deciding_weight: float = 4.0
    images: int = 8000
    clips: int = 3000
    save_steps: int = 250

    @property
    def steps(self) -> int:
        return self.sight_steps + self.description_steps + self.pair_steps

    def learning_rate_at(self, step: int) -> float:
        """Each phase: linear rise over its first twentieth, then a cosine to a hundredth."""
        start, length = 0, self.sight_steps
        for following in (self.description_steps, self.pair_steps):
            if step < start + length:
                break
            start, length = start + length, following
        done = (step - start) / length
        if done < 0.05:
            return self.learning_rate * max(0.02, done / 0.05)
        cosine = 0.5 * (1 + math.cos(math.pi * (done - 0.05) / 0.95))
        return self.learning_rate * (0.01 + 0.99 * cosine)


def step_loss(
    plan: JudgeTraining, step: int, model: Any, heads: nn.ModuleDict, tokenizer: Any, pool: Pool
) -> torch.Tensor:
    """The loss of one step, over media of one kind drawn from the seed and the step alone."""
    from torch.nn.functional import cross_entropy

    rng = random.Random(f"{plan.seed}:{step}")
    kind = rng.choice(list(MediaKind))
    if step < plan.sight_steps:
        return sight_loss(model.model.visual, heads, pool, kind, plan.sight_batch_size, rng)
    if step < plan.sight_steps + plan.description_steps:
        examples = [description_example(pool, kind, rng) for _ in range(plan.description_batch_size)]
    else:
        examples = [pair_example(pool, kind, rng) for _ in range(plan.batch_size)]
    inputs, targets, weight = collate(tokenizer, pool, examples, plan.deciding_weight)
    logits = model(**inputs).logits[:, :-1]
    per_token = cross_entropy(logits.transpose(1, 2), targets[:, 1:], reduction="none", ignore_index=-100)
    return (per_token * weight[:, 1:]).sum() / weight[:, 1:].sum()


def collate(
    tokenizer: Any, pool: Pool, examples: list[Example], deciding_weight: float
) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Model inputs, targets and weights, right-padded.

    Returns:
        The keyword arguments of the model; targets ``[B, L]`` int64 with -100 outside the
        response; weights ``[B, L]`` float32.
    """
    import torch

    kind = examples[0].kind
    pad = f"<|{kind.value}_pad|>"
    rows: list[tuple[list[int], int, list[float]]] = []
    for example in examples:
        prompt = example.prompt
        pieces = prompt.split(pad)
        prompt = pieces[0]
        for position, piece in zip(example.media, pieces[1:], strict=True):
            prompt += pad * (len(pool.patches[position]) // _MERGED_PATCHES) + piece
        head = tokenizer(prompt, add_special_tokens=False).input_ids
        body = tokenizer(example.response + "<|im_end|>", add_special_tokens=False, return_offsets_mapping=True)
        spans = [match.span() for match in _DECIDING.finditer(example.response)]
        weights = [
            deciding_weight if any(a < end and b > start for start, end in spans) else 1.0
            for a, b in body.offset_mapping
        ]
        rows.append((head + body.input_ids, len(head), weights))
    length = max(len(ids) for ids, _, _ in rows)
    input_ids = torch.full((len(rows), length), tokenizer.pad_token_id)
    mask = torch.zeros((len(rows), length), dtype=torch.int64)
    targets = torch.full((len(rows), length), -100)
    weight = torch.zeros((len(rows), length))
    for r, (ids, head_length, weights) in enumerate(rows):
        input_ids[r, : len(ids)] = torch.tensor(ids)
        mask[r, : len(ids)] = 1
        targets[r, head_length : len(ids)] = torch.tensor(ids[head_length:])
        weight[r, head_length : len(ids)] = torch.tensor(weights)
    positions = [position for example in examples for position in example.media]
    values = torch.cat([pool.patches[position] for position in positions]).float()
    grid = pool.grids[positions]
    pad_id = tokenizer.convert_tokens_to_ids(pad)
    inputs: dict[str, torch.Tensor] = {
        "input_ids": input_ids,
        "attention_mask": mask,
        "mm_token_type_ids": (input_ids == pad_id).long() * (2 if kind is MediaKind.VIDEO else 1),
    }
    if kind is MediaKind.VIDEO:
        inputs |= {
            "pixel_values_videos": values,
            "video_grid_thw": grid,
            "second_per_grid_ts": torch.ones(len(positions)),
        }
    else:
        inputs |= {"pixel_values": values, "image_grid_thw": grid}
    return inputs, targets, weight


def train_judge(
    folder: Path,
    plan: JudgeTraining | None = None,
    *,
    progress: Callable[[int, int, float], None] | None = None,
    evaluate: Callable[[Path], None] | None = None,
    stop_after: int | None = None,
) -> Path:
    """Train, or go on training, the judge in ``folder``; returns the folder of the finished model.

    Args:
        folder: Work folder; holds the training state and, at the end, ``judge/``.
        progress: Called after every step with steps done, steps in all and the loss.
        evaluate: Called with a saved model's folder every thousand steps.
        stop_after: Stop (resumably) once this many steps are done.

    Raises:
        DemoError: ``folder`` holds the state of a training with other hyperparameters.
    """
    import torch
    from torch import nn
    from transformers import AutoProcessor

    plan = plan or JudgeTraining()
    make_folder(folder)
    torch.manual_seed(plan.seed)
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    judge = folder / "judge"
    save_processor(tokenizer, judge)
    # vLLM chooses the model's class by this name; save_pretrained of a bare configuration leaves it out.
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(judge)
    heads = build_heads(model.config.text_config.hidden_size)
    trained = nn.ModuleDict({"judge": model, "sight": heads})
    optimizer = torch.optim.AdamW(
        trained.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay, betas=(0.9, 0.98)
    )
    start = _load_state(folder / STATE_FILE, trained, optimizer, plan)
    pool = build_pool(AutoProcessor.from_pretrained(judge), plan.seed, plan.images, plan.clips)
    log.info("pool of %d media ready; step %d of %d", len(pool.scenes), start, plan.steps)
    end = plan.steps if stop_after is None else min(plan.steps, stop_after)
    model.train()
    clock = time.monotonic()
    for step in range(start, end):
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate_at(step)
        loss = step_loss(plan, step, model, heads, tokenizer, pool)
        loss.backward()
        nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        done = step + 1
        if progress:
            progress(done, plan.steps, loss.item())
        if done % plan.save_steps == 0 or done == end:
            _save_state(folder / STATE_FILE, trained, optimizer, plan, done)
            log.info("step %d, loss %.4f, %.0f s", done, loss.item(), time.monotonic() - clock)
        if evaluate and (done % 1000 == 0 or done == plan.steps):
            _save_model(model, judge)
            evaluate(judge)
            model.train()
    _save_model(model, judge)
    return judge


def _save_model(model: Any, folder: Path) -> None:
    from safetensors.torch import save

    weights = {
        name: value.detach().half().contiguous()
        for name, value in model.state_dict().items()
        if name != "lm_head.weight"  # tied to the embeddings
    }
    write_whole(folder / "model.safetensors", save(weights, metadata={"format": "pt"}))


def _save_state(path: Path, trained: nn.ModuleDict, optimizer: Any, plan: JudgeTraining, step: int) -> None:
    from safetensors.torch import save

    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in trained.named_parameters():
        tensors[f"weight.{name}"] = parameter.detach().clone()
        # Empty for what no phase has asked for so far.
        for moment, value in optimizer.state[parameter].items():
            tensors[f"{moment}.{name}"] = value.detach().clone()
    about = {"plan": json.dumps(asdict(plan)), "done": str(step)}
    write_whole(path, save(tensors, metadata=about))


def _load_state(path: Path, trained: nn.ModuleDict, optimizer: Any, plan: JudgeTraining) -> int:
    if not path.exists():
        return 0
    import torch
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata, stored = file.metadata(), set(file.keys())
        if metadata["plan"] != json.dumps(asdict(plan)):
            raise DemoError(
                f"{path.parent} holds a training with other hyperparameters",
                hint="give another folder, or delete this one to start anew",
            )
        with torch.no_grad():
            for name, parameter in trained.named_parameters():
                parameter.copy_(file.get_tensor(f"weight.{name}"))
                optimizer.state[parameter] = {
                    moment: file.get_tensor(f"{moment}.{name}") for moment in _MOMENTS if f"{moment}.{name}" in stored
                }
    return int(metadata["done"])
