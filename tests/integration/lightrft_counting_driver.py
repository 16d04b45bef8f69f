"""Has LightRFT's own trainer count over its own loaders, under Winnow's entry, without a model or CUDA.

Usage: ``python lightrft_counting_driver.py HOME ENTRY OUT.json ROWS BATCH MICRO WORLD EPOCHS AFTER``. Every
rank is played in turn by this process, resumed after ``AFTER`` steps. The result has, for each rank, the
rows of each optimizer step by micro batch, the steps that were saved, and what was stubbed.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from lightrft_driver import _Finder, _import_what_is_here, stubbed


class Numbers:
    """A dataset whose rows are their own numbers."""

    is_training = True

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, index: int) -> int:
        return index


def collate(rows: list[int]) -> tuple[Any, ...]:
    """As ``GRMDataset`` hands a batch to its trainer; the rows travel as the token ids."""
    import torch

    ids = torch.tensor(rows).reshape(-1, 1, 1)
    return ids, torch.ones_like(ids), None, None, None, None, ids, [{}] * len(rows)


def load_entry(path: str) -> ModuleType:
    """Winnow's entry, as a module."""
    spec = importlib.util.spec_from_file_location("entry", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def strategy_of(strategy_class: Any, args: Any, rank: int) -> tuple[Any, list[int]]:
    """LightRFT's strategy without what needs CUDA, and the list of the steps it was asked to save."""
    saved: list[int] = []
    own = type("Counting", (strategy_class,), {})
    own.__abstractmethods__ = frozenset()
    strategy = object.__new__(own)
    adding = args.train_batch_size // args.micro_train_batch_size // args.world
    vars(strategy).update(
        args=args,
        seed=args.seed,
        train_batch_size=args.train_batch_size,
        micro_train_batch_size=args.micro_train_batch_size,
        accumulated_gradient=adding,
        world_size=args.world,
        print=lambda *_: None,
        is_rank_0=lambda: rank == 0,
        backward=lambda *_: None,
        optimizer_step=lambda *_: None,
        all_reduce=lambda value: value,
        save_ckpt=lambda _model, _path, tag, *_: saved.append(int(tag.removeprefix("global_step"))),
    )
    return strategy, saved


def play(module: Any, strategy_class: Any, args: Any, rank: int) -> dict[str, Any]:
    """One rank's training, as LightRFT's script begins it."""
    import torch

    torch.distributed.get_world_size = lambda *_: args.world
    torch.distributed.get_rank = lambda *_: rank
    strategy, saved = strategy_of(strategy_class, args, rank)
    dataset = Numbers(args.rows)
    loader = strategy.setup_dataloader(
        dataset, batch_size=args.train_batch_size // args.world, pin_memory=False, shuffle=True, collate_fn=collate
    )
    seen: list[list[int]] = []

    def model(ids: Any, **_: Any) -> Any:
        seen.append(ids.flatten().tolist())
        return ids.float()

    model.train = lambda: None  # type: ignore[attr-defined]
    trainer = module.GRMTrainerVL(
        model=model,
        strategy=strategy,
        optim=None,
        train_dataloader=loader,
        scheduler=SimpleNamespace(get_last_lr=lambda: [0.0]),
        tokenizer=None,
        max_epochs=args.max_epochs,
    )
    trainer.loss_fn = lambda logits, _labels: logits.mean()
    # The script gives the steps of all epochs as those of one.
    steps = len(dataset) // args.train_batch_size * args.max_epochs
    trainer.fit(args, args.after * args.train_batch_size, steps)
    adding = strategy.accumulated_gradient
    rows = [seen[place : place + adding] for place in range(0, len(seen), adding)]
    return {"steps": {args.after + 1 + n: batches for n, batches in enumerate(rows)}, "saved": saved}


def main() -> None:
    home, entry, out, *numbers = sys.argv[1:]
    rows, batch, micro, world, epochs, after = map(int, numbers)
    sys.path.insert(0, home)
    _import_what_is_here()
    sys.meta_path.append(_Finder())
    import torch

    torch.cuda.current_device = lambda: "cpu"  # type: ignore[assignment,return-value]
    winnows = load_entry(entry)
    winnows.name_model_class()
    winnows.mend_counting()
    from lightrft.strategy.strategy_base import StrategyBase
    from lightrft.trainer import grm_trainer_vl

    grm_trainer_vl.all_reduce_dict = lambda values, **_: values
    args = SimpleNamespace(
        rows=rows,
        train_batch_size=batch,
        micro_train_batch_size=micro,
        world=world,
        max_epochs=epochs,
        after=after,
        seed=42,
        eval_steps=-1,
        save_steps=1,
        logging_steps=1,
        use_wandb=None,
        use_tensorboard=None,
        ckpt_path="",
        max_ckpt_num=2,
        max_ckpt_mem=1,
    )
    ranks = [play(grm_trainer_vl, StrategyBase, args, rank) for rank in range(world)]
    Path(out).write_text(json.dumps({"ranks": ranks, "stubbed": sorted(stubbed)}))


if __name__ == "__main__":
    main()
