"""The training loop: steps, checkpoints, validation, and stopping where a stop was asked for."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backend.engines.models import pixel_factor
from backend.errors import TrainingError
from backend.hints import Hint
from backend.training.base import Metric
from backend.training.data import Row, Rows, data_files
from backend.training.local import checkpoints
from backend.training.local.collate import IGNORED, Collator, Micro, ahead
from backend.training.local.devices import Place, add_up, meet
from backend.training.local.journal import Journal
from backend.training.local.model import Judge
from backend.training.local.schedule import Batches, learning_rate_at, total_steps
from backend.training.spec import TrainingSpec

log = logging.getLogger(__name__)

VALIDATION_ROWS = 256
"""Held-out rows that a validation looks at, at most; the same ones each time."""
_LOWER_RATE = Hint("lower {actor_learning_rate} or try {bf16:no}")


class Fit:
    """One training, in one of its processes.

    Args:
        folder: The training's; ``data`` in it holds the exports.
        place: This process's device and rank.
        stopping: Asked before each micro batch. When true in any of the processes, the step is
            given up, a checkpoint of the last whole step is written, and the training ends.

    Raises:
        TrainingError: There are no rows, or the model cannot be loaded.
    """

    def __init__(
        self, folder: Path, spec: TrainingSpec, place: Place, *, stopping: Callable[[], bool] = lambda: False
    ) -> None:
        import torch

        self._torch = torch
        self._folder, self._spec, self._place, self._stopping = folder, spec, place, stopping
        files = data_files(folder)
        self._rows = Rows([file for file in files if not file.validation])
        self._held_out = Rows([file for file in files if file.validation])
        if not len(self._rows):
            raise TrainingError("there is no row to train on", hint=Hint("lower {validation}"))
        # The adapters' first weights are drawn, and must be the same everywhere.
        torch.manual_seed(spec.seed)
        self.judge = Judge(spec, place.device, bf16=place.bf16)
        self._collator = Collator(self.judge.processor, spec, pixel_factor(spec.model))
        self._optimizer = torch.optim.AdamW(
            list(self.judge.trained.values()), lr=spec.actor_learning_rate, betas=(0.9, 0.95), weight_decay=spec.l2
        )
        self.steps = total_steps(spec, len(self._rows))

    def run(self) -> bool:
        """Train to the end, from the newest checkpoint where there is one; false when it was stopped.

        Raises:
            TrainingError: The loss is no number, the memory is used up, a medium has gone, or the
                disk is full.
        """
        done = checkpoints.load_newest(self._folder, self.judge, self._optimizer)
        saved = done
        log.info("%d rows, step %d of %d", len(self._rows), done, self.steps)
        journal = Journal(self._folder, done) if self._place.leads else None
        try:
            for step, micros in ahead(self._collator, self._batches(done)):
                if not self._step(step, micros, journal):
                    if done > saved:
                        self._save(done)
                    # torchrun takes one that leaves for a failure, and kills who is still writing.
                    meet(self._place)
                    log.info("stopped, checkpoint of step %d", done)
                    return False
                done = step + 1
                if done % self._spec.save_steps == 0 or done == self.steps:
                    self._validate(done, journal)
                    self._save(done)
                    saved = done
            if self._place.leads:
                checkpoints.save(self._folder, self.judge, None, done, 1)
        except self._torch.OutOfMemoryError as error:
            raise TrainingError(
                f"out of GPU memory after step {done}",
                hint=Hint(
                    "lower {micro_train_batch_size} (now {now}), {max_pixels}, {fps} or {prompt_max_len}; "
                    "or train with {lora}",
                    now=self._spec.micro_train_batch_size,
                ),
            ) from error
        finally:
            if journal is not None:
                journal.close()
        if self._collator.left_out:
            log.warning("%d times a row was left out; the lines above say why", self._collator.left_out)
        return True

    def _save(self, done: int) -> None:
        if self._place.leads:
            keep = self._spec.max_ckpt_num
            checkpoints.save(self._folder, self.judge, self._optimizer, done, keep)

    def _batches(self, done: int) -> Iterator[tuple[int, list[list[Row]]]]:
        """The steps that are left, each with this process's share of the rows in micro batches."""
        order, size = Batches(self._spec, len(self._rows)), self._spec.micro_train_batch_size
        for step in range(done, self.steps):
            mine = order.rows_of(step)[self._place.rank :: self._place.world]
            micros = [mine[start : start + size] for start in range(0, len(mine), size)]
            yield step, [[self._rows[number] for number in micro] for micro in micros]

    def _step(self, step: int, micros: Iterator[Micro], journal: Journal | None) -> bool:
        """One optimizer step; false when it was given up because a stop was asked for."""
        torch, started = self._torch, time.monotonic()
        # What dropout draws depends on the seed, the step and the process alone.
        torch.manual_seed((self._spec.seed * 1_000_003 + step) * 1_009 + self._place.rank)
        total = torch.zeros(4, dtype=torch.float64)
        for micro in self._until_stopped(micros, total):
            loss = self._loss(micro)
            loss.backward()
            sums = [loss.item(), micro.tokens, micro.rows, 0]
            total += torch.tensor(sums, dtype=torch.float64)
        # That a stop was asked for travels with the sums, so that all leave at the same step.
        loss_sum, tokens, rows, stopped = add_up(self._place, total.to(self._place.device)).tolist()
        if stopped:
            return False
        mean = loss_sum / tokens if tokens else 0.0
        if not math.isfinite(mean):
            raise TrainingError(
                f"the loss is not a number at step {step + 1}",
                hint=Hint(
                    "{lower_rate}; {RESUME_TRAINING} goes on from the last checkpoint, another training starts anew",
                    lower_rate=_LOWER_RATE,
                ),
            )
        rate = learning_rate_at(self._spec, step, self.steps)
        if tokens:
            self._update(step, rate, tokens)
        if journal is not None:
            seconds = time.monotonic() - started
            journal.write(
                Metric(
                    step=step + 1,
                    loss=mean if tokens else None,
                    learning_rate=rate,
                    samples_per_s=rows / max(seconds, 1e-9),
                    time=time.time(),
                )
            )
        if step < 3 or (step + 1) % 10 == 0:
            log.info("step %d of %d, loss %.4f", step + 1, self.steps, mean)
        return True

    def _until_stopped(self, micros: Iterator[Micro], total: Any) -> Iterator[Micro]:
        """The micro batches up to a stop, which is noted in the last of the sums."""
        stopped = self._stopping()
        while not stopped:
            micro = next(micros, None)
            if micro is None:
                return
            stopped = self._stopping()
            if not stopped:
                yield micro
        total[-1] = 1

    def _loss(self, micro: Micro) -> Any:
        """The sum, not the mean, over the response's tokens: so accumulating changes nothing."""
        torch, device = self._torch, self._place.device
        inputs = {name: value.to(device) for name, value in micro.inputs.items()}
        kind = device.split(":", 1)[0]
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=self._place.bf16):
            logits = self.judge.logits(inputs, micro.keep)[:, :-1]
        labels = micro.labels[:, -micro.keep + 1 :].to(device)
        return torch.nn.functional.cross_entropy(
            logits.float().transpose(1, 2), labels, ignore_index=IGNORED, reduction="sum"
        )

    def _update(self, step: int, rate: float, tokens: float) -> None:
        torch = self._torch
        parameters = list(self.judge.trained.values())
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            add_up(self._place, parameter.grad).div_(tokens)
        norm = torch.nn.utils.clip_grad_norm_(parameters, self._spec.max_norm)
        if not math.isfinite(float(norm)):
            raise TrainingError(f"the gradient is not a number at step {step + 1}", hint=_LOWER_RATE)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def _validate(self, done: int, journal: Journal | None) -> None:
        """Mean loss over held-out rows, each process its share; nothing when it is cut off by a stop."""
        torch = self._torch
        count = min(len(self._held_out), VALIDATION_ROWS)
        if not count:
            return
        total = torch.zeros(3, dtype=torch.float64)
        mine = range(self._place.rank, count, self._place.world)
        micros = (micro for number in mine for micro in self._collator.micro_batches([self._held_out[number]]))
        self.judge.model.eval()
        with torch.no_grad():
            for micro in self._until_stopped(micros, total):
                loss = self._loss(micro).item()
                total += torch.tensor([loss, micro.tokens, 0], dtype=torch.float64)
        self.judge.model.train()
        loss_sum, tokens, stopped = add_up(self._place, total.to(self._place.device)).tolist()
        if stopped or not tokens:
            return
        if not math.isfinite(loss_sum):
            raise TrainingError(f"the validation loss is not a number after step {done}", hint=_LOWER_RATE)
        if journal is not None:
            journal.write(Metric(step=done, validation_loss=loss_sum / tokens, time=time.time()))
