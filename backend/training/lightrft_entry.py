"""Runs LightRFT's training script unchanged, after seeing to a handler for video rows.

    python lightrft_entry.py examples/grm_training/train_grm_vl.py ARGUMENTS…

Runs in LightRFT's interpreter and imports nothing of Winnow's. A ``GRMDataset`` that has a handler of
its own for ``rejection-sampling-t2v`` keeps it.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from typing import Any

SOURCE = "rejection-sampling-t2v"


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


def main() -> None:
    """Register, then run the script with the rest of the command line."""
    from lightrft.datasets.grm_dataset import GRMDataset

    register(GRMDataset)
    script = sys.argv[1]
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(script))  # noqa: PTH100, PTH120
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
