"""Makes a judge that an engine loads of what LightRFT's script leaves as the finished one.

    python lightrft_finish.py PRETRAINED FINAL_CHECKPOINT

Runs in LightRFT's interpreter and imports nothing of Winnow's. The script (read at 49e62cb) saves weights
and tokenizer, but not how images and videos are prepared; and with LoRA it saves the adapters alone, under
ZeRO-3 as a pickle. So adapters are merged into the weights they belong to, and stay beside them in
``adapters``, and the processor's files are those of the model that was trained.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

ADAPTERS = "adapter_config.json"
_PROCESSOR = (
    "preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json",
    "chat_template.json", "chat_template.jinja", "generation_config.json",
)  # fmt: skip


def merge_adapters(pretrained: str, final: Path) -> None:
    """Put whole weights in the place of the adapters, on the CPU."""
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    whole, kept = final.with_name(final.name + ".partial"), final.with_name("adapters")
    for left in (whole, kept):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(final, whole, ignore=shutil.ignore_patterns("adapter_*", "README.md"))
    model = AutoModelForImageTextToText.from_pretrained(pretrained, dtype="auto")
    PeftModel.from_pretrained(model, str(final)).merge_and_unload().save_pretrained(whole)
    os.replace(final, kept)
    os.replace(whole, final)


def add_processor(pretrained: str, final: Path) -> None:
    """Add what the processor needs and the folder lacks."""
    if not Path(pretrained).is_dir():
        if not (final / "preprocessor_config.json").exists():
            from transformers import AutoProcessor

            AutoProcessor.from_pretrained(pretrained).save_pretrained(final)
        return
    for name in _PROCESSOR:
        source, target = Path(pretrained, name), final / name
        if source.is_file() and not target.exists():
            shutil.copyfile(source, target)


def main(pretrained: str, final: Path) -> None:
    """Do what is still to be done."""
    if (final / ADAPTERS).is_file():
        merge_adapters(pretrained, final)
    add_processor(pretrained, final)


if __name__ == "__main__":
    # Python looks for modules beside this file first, and only Winnow's are there.
    sys.path[:] = [
        path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent
    ]
    main(sys.argv[1], Path(sys.argv[2]))
