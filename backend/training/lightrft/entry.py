"""Runs LightRFT's training script unchanged, after seeing to what the checkout under it lacks.

    python entry.py examples/grm_training/train_grm_vl.py ARGUMENTS…
    python entry.py --self-check < job.json

Runs in LightRFT's interpreter. What it sees to (read at 49e62cb):

- What the model is shown. Rows, frames and pixels are those of inference, see ``rows.py``, and so
  are positions and the frames' timing, see ``positions.py``.
- The class that loads the model, whose old name transformers 5.20 has dropped.
- Batches. The script asks for loaders of ``train_batch_size`` over the GPUs, and DeepSpeed adds up
  ``train_batch_size / micro_train_batch_size / GPUs`` of these: as many times the rows of a step as were
  asked for, all of a GPU's at once in its memory. Here a loader hands out ``micro_train_batch_size``.
- Epochs. The script gives the steps of all epochs for those of one, and the trainer asks whether the
  sampler is of a class of which the loaders use a namesake. So each epoch had the same order, a resumed
  training began again with the first row, and once the class is the right one, it goes past the end.
- The finished judge, of which the script saves a part, see ``finish.py``.

The last three change nothing where a checkout has them right by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import inspect
import os
import runpy
import subprocess
import sys
from typing import Any

SELF_CHECK = "--self-check"
_DISTRIBUTED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def import_winnow() -> None:
    """Make Winnow's package importable, and nothing else that lies beside it: LightRFT's interpreter has
    its own torch, and packages of Winnow's that it lacks would look as if it had them."""
    if "backend" in sys.modules:
        return
    here = os.path.abspath(__file__)  # noqa: PTH100
    for _ in range(3):
        here = os.path.dirname(here)  # noqa: PTH120
    spec = importlib.util.spec_from_file_location(
        "backend", os.path.join(here, "__init__.py"), submodule_search_locations=[here]
    )
    assert spec is not None and spec.loader is not None
    sys.modules["backend"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def name_model_class() -> None:
    """Give the class by which LightRFT loads its model the name it had before transformers 5.20."""
    import transformers

    if not hasattr(transformers, "AutoModelForVision2Seq"):
        transformers.AutoModelForVision2Seq = transformers.AutoModelForImageTextToText


def show_what_was_judged(model: str) -> None:
    """Have LightRFT show its model the rows, frames, pixels and positions of inference.

    Args:
        model: The folder or hub name of the model that is trained.
    """
    import_winnow()
    name_model_class()
    from lightrft.datasets.grm_dataset import GRMDataset
    from lightrft.models.grm_vl import GenerativeRewardModelVL

    from backend.training.lightrft.positions import give_own_positions
    from backend.training.lightrft.rows import show_rows

    show_rows(GRMDataset, model)
    give_own_positions(GenerativeRewardModelVL)


def hand_out_micro_batches(strategy_class: Any) -> None:
    """Have a strategy's loaders hand out what a GPU is to hold at once.

    An epoch of training has as many rows as fill its optimizer steps, so that both end together: a
    step over two epochs could not be found again by a resume.
    """
    original = strategy_class.setup_dataloader

    @functools.wraps(original)
    def setup_dataloader(strategy: Any, dataset: Any, batch_size: int, *rest: Any, **named: Any) -> Any:
        micro = min(batch_size, strategy.micro_train_batch_size)
        loader = original(strategy, dataset, micro, *rest, **named)
        if getattr(dataset, "is_training", True):
            keep_whole_steps(loader.sampler, len(dataset), strategy.train_batch_size)
        return loader

    strategy_class.setup_dataloader = setup_dataloader


def keep_whole_steps(sampler: Any, rows: int, train_batch_size: int) -> None:
    """Leave out the rows at the end of a shuffled epoch that fill no optimizer step."""
    sampler.total_size = rows // train_batch_size * train_batch_size
    sampler.num_samples = sampler.total_size // sampler.num_replicas


def count_by_the_epoch(trainer_module: Any) -> None:
    """Have ``GRMTrainerVL`` find epoch and row of a resumed training, and shuffle each epoch anew."""
    trainer_class = trainer_module.GRMTrainerVL
    original = trainer_class.fit
    if "num_update_steps_per_epoch" not in inspect.signature(original).parameters:
        return

    @functools.wraps(original)
    def fit(trainer: Any, args: Any, consumed_samples: int = 0, *_of_all: Any, **_epochs: Any) -> Any:
        loader = trainer.train_dataloader
        # The name by which it recognizes the samplers that can be told the epoch.
        trainer_module.DistributedSampler = type(loader.sampler)
        steps = len(loader) // trainer.strategy.accumulated_gradient
        return original(trainer, args, consumed_samples, steps)

    trainer_class.fit = fit


def mend_counting() -> None:
    """Mend batches and epochs, in a checkout that keeps its trainer where it was."""
    try:
        from lightrft.strategy.strategy_base import StrategyBase
        from lightrft.trainer import grm_trainer_vl
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("lightrft"):
            raise
        sys.stderr.write(f"winnow: {error}; batches, epochs and resume are LightRFT's own\n")
        return
    hand_out_micro_batches(StrategyBase)
    count_by_the_epoch(grm_trainer_vl)


def look_for_modules_beside(script: str) -> None:
    """Import as the script itself would, and none of the modules beside this file."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    others = [path for path in sys.path if os.path.abspath(path) != here]  # noqa: PTH100
    sys.path[:] = [os.path.dirname(os.path.abspath(script)), *others]  # noqa: PTH100, PTH120


def place_of_finished(words: list[str]) -> tuple[str, str]:
    """The model that is trained, and the folder that the script saves the finished one into."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--pretrain", default="")
    parser.add_argument("--save_path", default="./ckpt")
    known, _ = parser.parse_known_args(words)
    return known.pretrain, os.path.join(known.save_path, "final_checkpoint")


def begin(words: list[str]) -> None:
    """Take the mark of a whole judge from one that the script is going to write over in place."""
    _, final = place_of_finished(words)
    for name in ("preprocessor_config.json", "processor_config.json"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(final, name))  # noqa: PTH108


def finish(words: list[str]) -> None:
    """Make a whole judge of what the script saved; see ``finish.py``."""
    pretrained, final = place_of_finished(words)
    if not os.path.isdir(final):  # noqa: PTH112
        return
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "finish.py")  # noqa: PTH100, PTH120
    # A process of its own: this one still holds the GPU, and DeepSpeed's hold on how models load.
    alone = {name: value for name, value in os.environ.items() if name not in _DISTRIBUTED}
    done = subprocess.run(  # noqa: S603 - a list of arguments, and no shell
        [sys.executable, program, pretrained, final], env={**alone, "CUDA_VISIBLE_DEVICES": ""}
    )
    if done.returncode:
        sys.exit(f"the finished judge in {final} could not be made whole; the lines above say why")


def self_check() -> None:
    """Compare the losses of LightRFT with those of inference; see ``self_check.py``."""
    import_winnow()
    from backend.training.self_check import Job, run

    job = Job.loads(sys.stdin.read())
    show_what_was_judged(job.model)
    from backend.training.lightrft.check import lightrft_losses

    run(job, lightrft_losses)


def main() -> None:
    """See to it all, then run the script with the rest of the command line."""
    sys.argv = sys.argv[1:]
    script = sys.argv[0]
    look_for_modules_beside(script)
    if script == SELF_CHECK:
        self_check()
        return
    show_what_was_judged(place_of_finished(sys.argv)[0])
    mend_counting()
    leads = os.environ.get("RANK", "0") == "0"
    if leads:
        begin(sys.argv)
    runpy.run_path(script, run_name="__main__")
    if leads:
        finish(sys.argv)


if __name__ == "__main__":
    main()
