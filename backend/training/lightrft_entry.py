"""Runs LightRFT's training script unchanged, after seeing to what the checkout under it lacks.

    python lightrft_entry.py examples/grm_training/train_grm_vl.py ARGUMENTS…

Runs in LightRFT's interpreter and imports nothing of Winnow's. What it sees to (read at 49e62cb), each
of which changes nothing where a checkout has it right by itself:

- A handler for video rows. A ``GRMDataset`` that has its own for ``rejection-sampling-t2v`` keeps it.
- Batches. The script asks for loaders of ``train_batch_size`` over the GPUs, and DeepSpeed adds up
  ``train_batch_size / micro_train_batch_size / GPUs`` of these: as many times the rows of a step as were
  asked for, all of a GPU's at once in its memory. Here a loader hands out ``micro_train_batch_size``.
- Epochs. The script gives the steps of all epochs for those of one, and the trainer asks whether the
  sampler is of a class of which the loaders use a namesake. So each epoch had the same order, a resumed
  training began again with the first row, and once the class is the right one, it goes past the end.
- The finished judge, of which the script saves a part, see ``lightrft_finish.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import inspect
import json
import os
import runpy
import subprocess
import sys
from typing import Any

SOURCE = "rejection-sampling-t2v"
_DISTRIBUTED = (
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
)


class VideoRows:
    """LightRFT's data handler for Winnow's video rows (``conversations``, ``images``, ``video_fps``)."""

    task_type = "text-to-video"

    def load_data(self, path: str) -> list[dict[str, Any]]:
        """The rows of a file, with the folder that relative paths start from."""
        with open(path, encoding="utf-8") as stream:  # noqa: PTH123 - as LightRFT's own handlers do
            rows: list[dict[str, Any]] = json.load(stream)
        for row in rows:
            row["data_root"] = os.path.dirname(path)  # noqa: PTH120
        return rows

    def get_media_info(self, item: dict[str, Any]) -> dict[str, dict[str, str]]:
        """Where the two videos lie, in shown order."""
        first, second = (os.path.join(item["data_root"], path) for path in item["images"])
        return {"video0": {"video_local_path": first}, "video1": {"video_local_path": second}}

    def parse_item(
        self, item: dict[str, Any], media_content: dict[str, Any], config: dict[str, Any] | None
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The conversation: instruction, one user message a video, response."""
        settings = config or {}
        fps = settings.get("video_fps") or item.get("video_fps") or 2.0
        system, response = item["conversations"][0]["value"], item["conversations"][-1]["value"]
        messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
        for number, name in enumerate(("video0", "video1"), start=1):
            video = {"type": "video", "video": media_content[name], "fps": fps}
            if settings.get("max_pixels"):
                video["max_pixels"] = settings["max_pixels"]
            text = {"type": "text", "text": f"**Video {number}:**"}
            messages.append({"role": "user", "content": [text, video]})
        answer = [{"type": "text", "text": response}]
        messages.append({"role": "assistant", "content": answer})
        other = {
            "source": item.get("source", SOURCE),
            "task_type": self.task_type,
            "data_item": item,
            "system_prompt": system,
            "response": response,
        }
        return messages, other


class Handlers:
    """Stands in for ``GRMDataset.handlers``: what is assigned there gets the handler it lacks.

    ``GRMDataset`` fills the dictionary and reads its files in one go in ``__init__``, so there is no
    moment at which an entry could be added from outside.
    """

    def __get__(self, dataset: Any, _owner: type) -> Any:
        if dataset is None:
            return self
        return dataset.__dict__["handlers"]

    def __set__(self, dataset: Any, handlers: dict[str, Any]) -> None:
        handlers.setdefault(SOURCE, VideoRows())
        dataset.__dict__["handlers"] = handlers


def register(dataset_class: type) -> None:
    """See to it that a ``GRMDataset`` knows video rows."""
    dataset_class.handlers = Handlers()  # type: ignore[attr-defined]


def hand_out_micro_batches(strategy_class: Any) -> None:
    """Have a strategy's loaders hand out what a GPU is to hold at once.

    An epoch of training has as many rows as fill its optimizer steps, so that both end together: a
    step over two epochs could not be found again by a resume.
    """
    original = strategy_class.setup_dataloader

    @functools.wraps(original)
    def setup_dataloader(
        strategy: Any, dataset: Any, batch_size: int, *rest: Any, **named: Any
    ) -> Any:
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
    def fit(
        trainer: Any, args: Any, consumed_samples: int = 0, *_of_all: Any, **_epochs: Any
    ) -> Any:
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
    """Import as the script itself would. Beside this file lies a ``lightrft.py`` that is not LightRFT."""
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
    """Make a whole judge of what the script saved; see ``lightrft_finish.py``."""
    pretrained, final = place_of_finished(words)
    if not os.path.isdir(final):  # noqa: PTH112
        return
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lightrft_finish.py")  # noqa: PTH100, PTH120
    # A process of its own: this one still holds the GPU, and DeepSpeed's hold on how models load.
    alone = {name: value for name, value in os.environ.items() if name not in _DISTRIBUTED}
    done = subprocess.run(  # noqa: S603 - a list of arguments, and no shell
        [sys.executable, program, pretrained, final],
        env={**alone, "CUDA_VISIBLE_DEVICES": ""},
    )
    if done.returncode:
        sys.exit(f"the finished judge in {final} could not be made whole; the lines above say why")


def main() -> None:
    """See to it all, then run the script with the rest of the command line."""
    sys.argv = sys.argv[1:]
    script = sys.argv[0]
    look_for_modules_beside(script)
    from lightrft.datasets.grm_dataset import GRMDataset

    register(GRMDataset)
    mend_counting()
    leads = os.environ.get("RANK", "0") == "0"
    if leads:
        begin(sys.argv)
    runpy.run_path(script, run_name="__main__")
    if leads:
        finish(sys.argv)


if __name__ == "__main__":
    main()
