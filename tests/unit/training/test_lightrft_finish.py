"""What LightRFT leaves as the finished judge becomes one that an engine loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from training_folders import Prepare, save_checkout

from backend.engines.base import EngineOptions
from backend.engines.registry import load_engine
from backend.training.lightrft import entry as lightrft_entry
from backend.training.lightrft.trainer import LightRFTTrainer

pytestmark = [pytest.mark.judge, pytest.mark.slow]

SCRIPT = """
import os, sys
import torch
from pathlib import Path
from transformers import AutoModelForImageTextToText, AutoTokenizer

words = dict(zip(sys.argv, sys.argv[1:]))
words.update(word.split("=") for word in sys.argv if "=" in word)
final = Path(words["--save_path"], "final_checkpoint")
model = AutoModelForImageTextToText.from_pretrained(words["--pretrain"])
torch.manual_seed(0)
if "--lora_rank" in words:
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

    model = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
model.save_pretrained(final)
if "--killed" in words:
    os.kill(os.getpid(), 9)
if "--lora_rank" in words and words["--zero_stage"] == "3":
    # As its strategy does where the parameters are spread over the GPUs.
    torch.save(get_peft_model_state_dict(model), final / "adapter_model.bin")
    os.remove(final / "adapter_model.safetensors")
model.config.to_json_file(final / "config.json")
AutoTokenizer.from_pretrained(words["--pretrain"]).save_pretrained(final)
if "--lora_rank" in words:
    torch.save(model.merge_and_unload().state_dict(), final.parent / "expected.pt")
else:
    torch.save(model.state_dict(), final.parent / "expected.pt")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose script saves what LightRFT's saves, with its calls."""
    home = tmp_path / "LightRFT"
    return save_checkout(home, script=SCRIPT)


def train(checkout: Path, folder: Path, judge: Path, *words: str, rank: int = 0) -> None:
    subprocess.run(
        [
            sys.executable,
            lightrft_entry.__file__,
            "examples/grm_training/train_grm_vl.py",
            "--pretrain",
            str(judge),
            "--save_path",
            str(folder / "model"),
            *words,
        ],
        cwd=checkout,
        check=True,
        env={**os.environ, "PYTHONPATH": str(checkout), "RANK": str(rank), "WORLD_SIZE": "2"},
    )


@pytest.mark.parametrize(
    "words", [(), ("--lora_rank", "4", "--zero_stage", "2"), ("--lora_rank", "4", "--zero_stage", "3")]
)
def test_what_the_script_saves_becomes_a_judge_that_an_engine_loads(
    prepare: Prepare, checkout: Path, judge_folder: Path, words: tuple[str, ...]
) -> None:
    torch = pytest.importorskip("torch")
    if words:
        pytest.importorskip("peft")
    folder, _ = prepare(sets=("images",), trainer="lightrft")
    train(checkout, folder, judge_folder, *words)
    (found,) = LightRFTTrainer("py", str(checkout)).checkpoints(folder)
    assert (found.judge, found.final) == (True, True)
    engine = load_engine("transformers", str(found.path), EngineOptions(device="cpu"))
    try:
        weights = engine._model.state_dict()  # type: ignore[attr-defined]
        expected = torch.load(folder / "model" / "expected.pt")
        assert weights.keys() == expected.keys()
        for name, weight in expected.items():
            assert torch.allclose(weights[name].float(), weight.float(), atol=1e-3), name
    finally:
        engine.close()
    assert (folder / "model" / "adapters" / "adapter_config.json").is_file() == bool(words)


def test_one_process_makes_the_judge_whole_and_adapters_that_were_not_merged_are_no_judge(
    prepare: Prepare, checkout: Path, judge_folder: Path
) -> None:
    pytest.importorskip("peft")
    folder, _ = prepare(sets=("images",), trainer="lightrft")
    train(checkout, folder, judge_folder, "--lora_rank", "4", "--zero_stage", "2", rank=1)
    (found,) = LightRFTTrainer("py", str(checkout)).checkpoints(folder)
    assert (found.judge, found.final) == (False, True)


@pytest.mark.torch
def test_a_judge_that_is_written_over_is_none_until_it_is_whole_again(
    prepare: Prepare, checkout: Path, judge_folder: Path
) -> None:
    folder, _ = prepare(sets=("images",), trainer="lightrft")
    trainer = LightRFTTrainer("py", str(checkout))
    train(checkout, folder, judge_folder)
    with pytest.raises(subprocess.CalledProcessError):
        train(checkout, folder, judge_folder, "--killed", "1")
    (found,) = trainer.checkpoints(folder)
    assert not found.judge
    # As a disk that was full, or a kill, leaves it.
    final = folder / "model" / "final_checkpoint"
    (final / "chat_template.jinja.partial").write_text("half")
    # The last word counts, as it does for the script.
    train(checkout, folder, judge_folder, f"--save_path={folder / 'model'}")
    (found,) = trainer.checkpoints(folder)
    assert found.judge


def test_a_merge_that_fails_leaves_the_adapters_and_nothing_that_fills_the_disk(
    prepare: Prepare, checkout: Path, judge_folder: Path
) -> None:
    pytest.importorskip("peft")
    folder, _ = prepare(sets=("images",), trainer="lightrft")
    words = ("--lora_rank", "4", "--zero_stage", "2")
    train(checkout, folder, judge_folder, *words, rank=1)
    final = folder / "model" / "final_checkpoint"
    program = Path(lightrft_entry.__file__).with_name("finish.py")
    # No file may become as large as the merged weights.
    done = subprocess.run(
        [
            "sh",
            "-c",
            'ulimit -f 4096; trap "" XFSZ; exec "$@"',
            "sh",
            sys.executable,
            str(program),
            str(judge_folder),
            str(final),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode, done.stderr
    assert sorted(path.name for path in final.parent.iterdir()) == ["expected.pt", final.name]
    (found,) = LightRFTTrainer("py", str(checkout)).checkpoints(folder)
    assert not found.judge
    train(checkout, folder, judge_folder, *words)
    (found,) = LightRFTTrainer("py", str(checkout)).checkpoints(folder)
    assert found.judge
