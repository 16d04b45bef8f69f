"""Makes a judge that an engine loads of what LightRFT's script leaves as the finished one.

    python finish.py PRETRAINED FINAL_CHECKPOINT

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
PREPARES = ("preprocessor_config.json", "processor_config.json")
"""Without one of these no engine prepares an image; they come last, and so say that the rest is there."""

_PROCESSOR = (
    "generation_config.json",
    "chat_template.json",
    "chat_template.jinja",
    "video_preprocessor_config.json",
    *reversed(PREPARES),
)


def merge_adapters(pretrained: str, final: Path) -> None:
    """Put whole weights in the place of the adapters, on the CPU."""
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    whole, kept = final.with_name(final.name + ".partial"), final.with_name("adapters")
    for left in (whole, kept):
        shutil.rmtree(left, ignore_errors=True)
    model = AutoModelForImageTextToText.from_pretrained(pretrained, dtype="auto")
    merged = PeftModel.from_pretrained(model, str(final)).merge_and_unload()
    try:
        # The weights that an earlier end of the same training merged may be there too.
        left_out = shutil.ignore_patterns("adapter_*", "README.md", "model*.safetensors*")
        shutil.copytree(final, whole, ignore=left_out)
        merged.save_pretrained(whole)
    except BaseException:
        # On a full disk it would leave no room for the next attempt.
        shutil.rmtree(whole, ignore_errors=True)
        raise
    os.replace(final, kept)
    os.replace(whole, final)


def add_processor(pretrained: str, final: Path) -> None:
    """Add what the processor needs and the folder lacks."""
    if not Path(pretrained).is_dir():
        if not (final / "preprocessor_config.json").exists():
            from transformers import AutoProcessor

            AutoProcessor.from_pretrained(pretrained).save_pretrained(final)
        return
    copied = []
    for name in _PROCESSOR:
        source, target = Path(pretrained, name), final / name
        if source.is_file() and not target.exists():
            copied.append(target.with_name(name + ".partial"))
            copied[-1].unlink(missing_ok=True)
            # A link that somebody puts there is not written through.
            with source.open("rb") as stream, copied[-1].open("xb") as copy:
                shutil.copyfileobj(stream, copy)
    for partial in copied:
        os.replace(partial, partial.with_suffix(""))


def main(pretrained: str, final: Path) -> None:
    """Do what is still to be done."""
    if (final / ADAPTERS).is_file():
        merge_adapters(pretrained, final)
    add_processor(pretrained, final)


if __name__ == "__main__":
    # Python looks for modules beside this file first, and only Winnow's are there.
    sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]
    main(sys.argv[1], Path(sys.argv[2]))
