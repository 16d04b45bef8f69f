"""Batches, epochs and resume under the entry, on stand-ins that count as LightRFT (49e62cb) does.

``tests/integration/test_training_lightrft.py`` does the same with LightRFT's own trainer and sampler,
where a checkout is present.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from backend.training.lightrft.entry import count_by_the_epoch, hand_out_micro_batches

ROWS, BATCH, MICRO, EPOCHS = 170, 8, 2, 3
STEPS = ROWS // BATCH * EPOCHS

Steps = dict[int, list[list[int]]]
"""The rows of each optimizer step, by micro batch."""


class Sampler:
    """Shuffles by seed and epoch, passes over what was consumed, and checks its own length."""

    def __init__(self, rows: int, rank: int, world: int) -> None:
        self.rows, self.rank, self.num_replicas = rows, rank, world
        self.num_samples = rows // world
        self.total_size = self.num_samples * world
        self.epoch = self.passed = 0

    def set_epoch(self, epoch: int, consumed_samples: int = 0) -> None:
        self.epoch, self.passed = epoch, consumed_samples // self.num_replicas

    def __len__(self) -> int:
        return self.num_samples - self.passed

    def __iter__(self) -> Iterator[int]:
        order = list(range(self.rows))
        random.Random(self.epoch).shuffle(order)
        mine = order[self.rank : self.total_size : self.num_replicas][self.passed :]
        assert len(mine) == len(self), f"length {len(self)}"
        return iter(mine)


class Namesake:
    """The class that the trainer takes for the loaders' sampler; they have another."""


class Loader:
    """Whole batches only."""

    def __init__(self, sampler: Sampler, batch_size: int) -> None:
        self.sampler, self.batch_size = sampler, batch_size

    def __len__(self) -> int:
        return len(self.sampler) // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        rows = list(self.sampler)
        for place in range(0, len(rows) // self.batch_size * self.batch_size, self.batch_size):
            yield rows[place : place + self.batch_size]


def lightrft() -> SimpleNamespace:
    """The module with the trainer, and the class of strategies; fresh, because the entry patches them."""

    class Strategy:
        def __init__(self, rank: int, world: int) -> None:
            self.rank, self.world_size = rank, world
            self.train_batch_size, self.micro_train_batch_size = BATCH, MICRO
            self.accumulated_gradient = BATCH // MICRO // world

        def setup_dataloader(self, dataset: Any, batch_size: int, *, shuffle: bool = True) -> Loader:
            assert shuffle
            return Loader(Sampler(len(dataset), self.rank, self.world_size), batch_size)

    class Trainer:
        def __init__(self, strategy: Strategy, loader: Loader) -> None:
            self.strategy, self.train_dataloader, self.seen = strategy, loader, Steps()

        def fit(self, args: Any, consumed_samples: int = 0, num_update_steps_per_epoch: int = 0) -> None:
            done, adding = consumed_samples // BATCH, self.strategy.accumulated_gradient
            first = done // num_update_steps_per_epoch
            left = consumed_samples % (num_update_steps_per_epoch * BATCH)
            micro = done * adding
            for epoch in range(first, args.max_epochs):
                if isinstance(self.train_dataloader.sampler, module.DistributedSampler):
                    self.train_dataloader.sampler.set_epoch(epoch, left if epoch == first else 0)
                for rows in self.train_dataloader:
                    self.seen.setdefault(micro // adding + 1, []).append(rows)
                    micro += 1

    module = SimpleNamespace(GRMTrainerVL=Trainer, DistributedSampler=Namesake, Strategy=Strategy)
    return module


def train(*, after: int = 0, rank: int = 0, world: int = 1, rows: int = ROWS) -> Steps:
    """What one process sees, as the script starts it; resumed after so many steps."""
    module = lightrft()
    hand_out_micro_batches(module.Strategy)
    count_by_the_epoch(module)
    strategy = module.Strategy(rank, world)
    loader = strategy.setup_dataloader(range(rows), batch_size=BATCH // world)
    trainer = module.GRMTrainerVL(strategy, loader)
    # The script gives the steps of all epochs as those of one.
    trainer.fit(SimpleNamespace(max_epochs=EPOCHS), after * BATCH, rows // BATCH * EPOCHS)
    seen: Steps = trainer.seen
    return seen


@pytest.mark.parametrize("world", [1, 2])
def test_a_step_sees_train_batch_size_rows_and_a_gpu_micro_train_batch_size_at_once(world: int) -> None:
    ranks = [train(rank=rank, world=world) for rank in range(world)]
    assert all(sorted(seen) == list(range(1, STEPS + 1)) for seen in ranks)
    for step in range(1, STEPS + 1):
        batches = [batch for seen in ranks for batch in seen[step]]
        assert {len(batch) for batch in batches} == {MICRO}
        assert len({row for batch in batches for row in batch}) == BATCH


def test_each_epoch_has_every_row_once_but_those_that_fill_no_step_in_another_order() -> None:
    seen, epoch = train(), STEPS // EPOCHS
    orders = [
        [row for step in range(first, first + epoch) for batch in seen[step] for row in batch]
        for first in range(1, STEPS, epoch)
    ]
    assert all(len(order) == len(set(order)) == epoch * BATCH for order in orders)
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("after", [1, 20, 21, 22, 30, 42, 62, 63])
def test_a_resumed_training_sees_what_the_uninterrupted_one_would_have_seen(after: int, world: int) -> None:
    """Also after the first epoch, where LightRFT alone goes past the end of its data."""
    for rank in range(world):
        whole = train(rank=rank, world=world)
        rest = {step: rows for step, rows in whole.items() if step > after}
        assert train(after=after, rank=rank, world=world) == rest


def test_a_validation_loader_keeps_all_of_its_rows() -> None:
    module = lightrft()
    hand_out_micro_batches(module.Strategy)

    class HeldOut(list[int]):
        is_training = False

    loader = module.Strategy(0, 1).setup_dataloader(HeldOut(range(5)), batch_size=BATCH)
    assert (loader.batch_size, len(loader)) == (MICRO, 2)


def test_a_checkout_that_counts_by_itself_is_left_alone() -> None:
    class Newer:
        def fit(self, args: Any, resume_from: int = 0) -> None: ...

    module = SimpleNamespace(GRMTrainerVL=Newer)
    own = Newer.fit
    count_by_the_epoch(module)
    assert module.GRMTrainerVL.fit is own
