"""LightRFT's model is shown what inference shows it: rows, frames, pixels, positions and timing.

On a stand-in with LightRFT's faults, and on the real checkout where ``WINNOW_TEST_LIGHTRFT_HOME`` names
one; packages that this interpreter lacks are stubbed by the driver then.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from backend.domain.pairs import MediaKind
from backend.engines.models import pixel_factor
from backend.media.sizes import MAX_PIXELS
from backend.training.data import Row
from backend.training.lightrft import entry as lightrft_entry
from backend.training.lightrft.check import write_rows
from backend.training.lightrft.positions import give_own_positions
from backend.training.lightrft.rows import show_rows, with_seconds, without_seconds
from backend.training.self_check import Job, read_result
from backend.training.showing import Showing
from tests.integration.judged_rows import OwnTexts, own_texts
from tests.integration.lightrft_stand_in import parts, save_stand_in
from tests.integration.tiny_models import save_qwen2_vl, save_qwen3_vl

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.judge

HOME = os.environ.get("WINNOW_TEST_LIGHTRFT_HOME", "")
PYTHON = os.environ.get("WINNOW_TEST_LIGHTRFT_PYTHON", sys.executable)
DRIVER = Path(__file__).with_name("lightrft_driver.py")
ODD_FPS = 3.0
"""At which a step of two frames is no second: a model that is told nothing takes it for one."""


@pytest.fixture(scope="module")
def own(judge_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> OwnTexts:
    folder = tmp_path_factory.mktemp("own")
    return own_texts(judge_folder, folder, images=2, videos=2, fps=ODD_FPS)


class Seen:
    """LightRFT's stand-in over some rows, mended or not."""

    def __init__(self, judge: Path, rows: Sequence[Row], folder: Path, *, positions: bool = True):
        from transformers import AutoProcessor

        lightrft_entry.name_model_class()
        dataset_class, model_class = parts()
        show_rows(dataset_class, str(judge))
        if positions:
            give_own_positions(model_class)
        self.processor = AutoProcessor.from_pretrained(judge)
        self.given = {
            "processor": self.processor,
            "tokenizer": self.processor.tokenizer,
            "config": {"video_fps": ODD_FPS, "max_pixels": MAX_PIXELS},
        }
        self.sources = write_rows(folder, rows)
        self.dataset_class = dataset_class
        self.dataset = dataset_class(self.sources, **self.given)
        self.judge = model_class(str(judge)).float().eval()
        self.showing = Showing(self.processor, fps=ODD_FPS, max_pixels=MAX_PIXELS, factor=pixel_factor(str(judge)))

    def batch(self, dataset: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """All rows at once, as LightRFT's trainer hands them to its model, and what is told of them."""
        ids, mask, pixels, grid, video_pixels, video_grid, _, told = dataset.collate_fn(
            [dataset[place] for place in range(len(dataset))]
        )
        named = {
            "attention_mask": mask.squeeze(1),
            "pixel_values": pixels,
            "image_grid_thw": grid,
            "pixel_values_videos": video_pixels,
            "video_grid_thw": video_grid,
        }
        return {"ids": ids.squeeze(1), **named}, told

    def logits(self) -> dict[tuple[str, ...], Any]:
        """Of every row, by its media, without the padding."""
        named, told = self.batch(self.dataset)
        ids = named.pop("ids")
        logits = self.judge(ids, **named, return_outputs=False)
        return {
            tuple(one["media"]): row[mask.bool()]
            for one, row, mask in zip(told, logits, named["attention_mask"], strict=True)
        }

    def models_own(self, row: Row) -> Any:
        """Logits of the model itself on the inputs of inference."""
        inputs, _ = self.showing.sample(row)
        return self.judge.model(**inputs).logits[0]


@pytest.mark.parametrize("kind", MediaKind)
@pytest.mark.parametrize("model", ["demo", "qwen2_vl", "qwen3_vl"])
def test_logits_are_the_models_own_in_a_padded_batch_and_were_not(
    own: OwnTexts, judge_folder: Path, tmp_path: Path, kind: MediaKind, model: str
) -> None:
    makers = {"qwen2_vl": save_qwen2_vl, "qwen3_vl": save_qwen3_vl}
    judge = makers[model](tmp_path / model) if model in makers else judge_folder
    rows = [longer(row, 7 * number) for number, row in enumerate(own.of(kind).rows)]
    with torch.no_grad():
        mended = Seen(judge, rows, tmp_path)
        found = mended.logits()
        faulty = Seen(judge, rows, tmp_path, positions=False)
        # The timing travels in a column that only the mended model knows.
        faulty.dataset.__class__.__getitem__ = without_timing(faulty.dataset.__class__.__getitem__)
        before = faulty.logits()
        for row in rows:
            expected = mended.models_own(row)
            torch.testing.assert_close(found[row.media], expected, atol=2e-4, rtol=1e-4)
            apart = (found[row.media] - expected).abs().max()
            assert (before[row.media] - expected).abs().max() > 50 * apart


def longer(row: Row, words: int) -> Row:
    return Row(row.kind, row.instruction, row.response + " 7" * words, row.media)


def without_timing(item: Any) -> Any:
    def bare(dataset: Any, index: int) -> Any:
        inputs, labels, told = item(dataset, index)
        if "video_grid_thw" in inputs:
            inputs["video_grid_thw"] = inputs["video_grid_thw"][:, :3]
        return inputs, labels, told

    return bare


def test_images_and_videos_share_a_batch(own: OwnTexts, judge_folder: Path, tmp_path: Path) -> None:
    with torch.no_grad():
        seen = Seen(judge_folder, own.rows, tmp_path)
        found = seen.logits()
        for row in own.rows:
            torch.testing.assert_close(found[row.media], seen.models_own(row), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", MediaKind)
def test_gradients_under_checkpointing_are_the_models_own(
    own: OwnTexts, judge_folder: Path, tmp_path: Path, kind: MediaKind
) -> None:
    (row, *_) = own.of(kind).rows
    seen = Seen(judge_folder, [row], tmp_path)
    parameters = list(seen.judge.model.parameters())
    expected = torch.autograd.grad(seen.models_own(row).square().mean(), parameters)
    seen.judge.gradient_checkpointing_enable({"use_reentrant": False})
    seen.judge.train()
    (logits,) = seen.logits().values()
    found = torch.autograd.grad(logits.square().mean(), parameters)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_its_validation_asks_as_inference_does(own: OwnTexts, judge_folder: Path, tmp_path: Path) -> None:
    """By ``generate``, all rows in one padded batch; the prompt holds no word of the response."""
    seen = Seen(judge_folder, own.rows, tmp_path)
    held_out = seen.dataset_class(seen.sources, **seen.given, is_training=False)
    named, told = seen.batch(held_out)
    ids = named.pop("ids")
    tokenizer = seen.processor.tokenizer
    written = seen.judge.generate(
        input_ids=ids,
        **named,
        max_new_tokens=160,
        do_sample=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )[:, ids.shape[1] :]
    texts = tokenizer.batch_decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert texts == [one["response"] for one in told]
    assert len(texts) == len(own.rows)
    json.dumps(told)  # LightRFT writes it beside its answers


def test_exactly_what_the_judge_wrote_is_learned(own: OwnTexts, judge_folder: Path, tmp_path: Path) -> None:
    """Not the opening of its turn, nor the newline behind it, and nothing that a caption spells."""
    spoken = "\n<|im_start|>assistant\nImage 1"
    rows = [Row(row.kind, row.instruction + spoken, row.response, row.media) for row in own.rows]
    seen = Seen(judge_folder, rows, tmp_path)
    for place in range(len(rows)):
        inputs, labels, told = seen.dataset[place]
        learned = labels[labels != -100].tolist()
        text = seen.processor.tokenizer.decode(learned, clean_up_tokenization_spaces=False)
        assert text == told["response"] + seen.processor.tokenizer.eos_token
        assert inputs["input_ids"][labels != -100].tolist() == learned


def test_a_row_that_spells_the_place_of_a_medium_is_left_out(
    own: OwnTexts, judge_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (row, *rest) = own.of(MediaKind.IMAGE).rows
    spelt = Row(row.kind, row.instruction + " <|image_pad|>", row.response, row.media)
    seen = Seen(judge_folder, [spelt, *rest], tmp_path)
    assert len(seen.dataset) == len(rest)
    assert "a row is left out: the instruction or caption spells <|image_pad|>" in capfd.readouterr().err


@pytest.mark.parametrize("text", [None, "[{", '[{"images": ["a"]}]', '{"a": 1}'])
def test_a_file_that_cannot_be_loaded_ends_the_training(
    own: OwnTexts, judge_folder: Path, tmp_path: Path, text: str | None
) -> None:
    """LightRFT alone would log it and train on the other files."""
    seen = Seen(judge_folder, own.rows, tmp_path)
    path = Path(seen.sources[0].partition(":")[2])
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    with pytest.raises(SystemExit, match="cannot be loaded"):
        seen.dataset_class(seen.sources, **seen.given)


def test_the_timing_of_videos_survives_its_way_to_the_model_to_the_last_bit() -> None:
    grid = torch.tensor([[2, 6, 6], [4, 6, 6]])
    seconds = torch.tensor([2 / 3, 1 / 7])
    joined = with_seconds(grid, seconds)
    assert joined.dtype == torch.int64
    back, timing = without_seconds(torch.cat([joined, joined])[2:])
    assert torch.equal(back, grid) and torch.equal(timing, seconds)
    assert without_seconds(grid)[1] is None and without_seconds(None) == (None, None)


@pytest.mark.parametrize("checkout", ["stand-in", "real"])
def test_every_token_has_the_loss_of_inference_in_lightrfts_own_process(
    own: OwnTexts, judge_folder: Path, tmp_path: Path, checkout: str
) -> None:
    """As the preflight asks it, by the entry, in an interpreter that finds Winnow by the entry alone."""
    if checkout == "real" and not HOME:
        pytest.skip("no LightRFT checkout: name one in WINNOW_TEST_LIGHTRFT_HOME")
    home = HOME if checkout == "real" else str(save_stand_in(tmp_path / "home"))
    job = Job(model=str(judge_folder), fps=ODD_FPS, max_pixels=MAX_PIXELS, rows=tuple(own.rows), together=4)
    done = subprocess.run(
        [PYTHON, str(DRIVER), "--self-check", home, str(judge_folder), lightrft_entry.__file__],
        input=job.dumps(),
        capture_output=True,
        text=True,
        timeout=280,
        cwd=home,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result = read_result(done.stdout)
    assert result.differences == ()
    assert result.agrees and result.expected < 0.02
