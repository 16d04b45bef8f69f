"""A judge's own greedy texts cost it in a training what they cost it at inference."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain.pairs import MediaKind
from backend.domain.preflight import Check, Level
from backend.engines.base import Completion, EngineOptions
from backend.engines.transformers import TransformersEngine
from backend.media.sizes import MAX_PIXELS
from backend.training.base import Command
from backend.training.consistency import Inference, TokenLoss, agrees, differences, mean_loss
from backend.training.local.trainer import LocalTrainer
from backend.training.self_check import Job, local_losses
from backend.workspace import Workspace
from tests.integration.judged_rows import FPS, OwnTexts, own_texts
from tests.workspaces import build_workspace

pytestmark = pytest.mark.judge


@pytest.fixture(scope="module")
def own(judge_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> OwnTexts:
    return own_texts(judge_folder, tmp_path_factory.mktemp("own"))


def test_the_losses_of_inference_are_those_with_which_the_text_was_generated(own: OwnTexts, judge_folder: Path) -> None:
    """Against the scores of ``generate`` itself, one token after the other with its cache."""
    import torch

    with Inference(judge_folder, fps=FPS, max_pixels=MAX_PIXELS) as inference:
        engine = inference._engine
        for number in (0, -1):
            (request,) = inference._requests([own.rows[number]])
            inputs = engine._inputs([request])
            made = engine._model.generate(
                **inputs, max_new_tokens=256, do_sample=False, output_scores=True, return_dict_in_generate=True
            )
            written = made.sequences[0, inputs["input_ids"].shape[1] :]
            chosen = [
                -float(torch.log_softmax(scores[0].float(), -1)[token])
                for scores, token in zip(made.scores, written, strict=True)
            ]
            assert [token.nats for token in own.losses[number]] == pytest.approx(chosen, abs=1e-4)


def test_an_engine_tells_what_its_texts_cost_whatever_was_drawn(own: OwnTexts, judge_folder: Path) -> None:
    """In batches whose answers end at different places, greedily and with a temperature."""
    with Inference(judge_folder, fps=FPS, max_pixels=MAX_PIXELS) as inference:
        for temperature in (0.0, 0.7):
            options = EngineOptions(batch_size=4, max_new_tokens=160, device="cpu", temperature=temperature)
            engine = TransformersEngine(str(judge_folder), options)
            for outcome in engine.generate(inference._requests(own.rows[:3])):
                assert isinstance(outcome, Completion) and outcome.nats is not None
                (request,) = inference._requests([own.rows[outcome.id]])
                costs = inference._engine.losses(request, outcome.text)
                if outcome.finish_reason != "stop":
                    continue  # its last word may have been cut in two
                mean = sum(nats for _, nats in costs) / len(costs)
                assert outcome.nats == pytest.approx(mean, rel=0.02, abs=1e-4)


@pytest.mark.parametrize("kind", MediaKind)
@pytest.mark.parametrize("together", [1, 4])
def test_the_local_trainer_gives_each_token_the_loss_of_inference(
    own: OwnTexts, judge_folder: Path, kind: MediaKind, together: int
) -> None:
    rows = tuple(own.of(kind).rows)
    found = local_losses(Job(model=str(judge_folder), fps=FPS, max_pixels=MAX_PIXELS, rows=rows, together=together))
    for expected, losses in zip(own.of(kind).losses, found, strict=True):
        assert differences(expected, losses) == []
    assert agrees(mean_loss(own.of(kind).losses), mean_loss(found))


@pytest.mark.parametrize("kind", MediaKind)
def test_a_row_that_is_shown_otherwise_than_it_was_judged_costs_more(
    own: OwnTexts, judge_folder: Path, kind: MediaKind
) -> None:
    of_kind = own.of(kind)
    expected = mean_loss(of_kind.losses)
    with Inference(judge_folder, fps=FPS, max_pixels=MAX_PIXELS) as inference:
        exchanged = [replace(row, media=row.media[::-1]) for row in of_kind.rows]
        assert not agrees(expected, mean_loss(inference.losses(exchanged)))
        assert agrees(expected, mean_loss(inference.losses(of_kind.rows)))
    with Inference(judge_folder, fps=2 * FPS, max_pixels=784) as inference:
        assert not agrees(expected, mean_loss(inference.losses(of_kind.rows)))


def test_differences_name_the_token() -> None:
    def losses(*tokens: tuple[str, float]) -> list[TokenLoss]:
        return [TokenLoss(*token) for token in tokens]

    expected = losses(("a", 0.5), ("<|im_end|>", 0.01))
    assert differences(expected, expected) == []
    newline = losses(("a", 0.5), ("<|im_end|>", 0.01), ("\n", 7.0))
    assert differences(expected, newline) == ["token 2 '\\n': 7.0000 nats, not in inference"]
    assert differences(expected, losses(("a", 0.7), ("<|im_end|>", 0.01))) == [
        "token 0 'a': 0.7000 nats, 0.5000 in inference"
    ]
    assert differences(expected, losses(("a", 0.5))) == ["token 1 '<|im_end|>': not trained on"]
    assert differences(expected, losses(("b", 0.5), ("<|im_end|>", 0.01))) == ["token 0: 'b' where inference has 'a'"]


def test_the_preflight_says_what_a_small_judges_own_texts_cost(
    space: Workspace, judge_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the trainer's own program; the line is missing where nobody asks for it."""
    assert "Own texts" not in {check.name for check in checks(space, judge_folder, thorough=False)}
    found = own_line(space, judge_folder)
    assert found.level is Level.OK
    assert "nats a token in training" in found.message
    said = json.dumps([0.003, 2.2, ["row 0, token 3 'a': 2.2 nats, 0.1 in inference"]])
    for program, level, words in (
        (f"print({said!r})", Level.FAIL, "the first of 1: row 0, token 3"),
        ("raise SystemExit('no such judge')", Level.WARN, "not compared with inference (no such judge)"),
        ("print('x')", Level.WARN, "cannot be read"),
    ):
        command = Command((sys.executable, "-c", program))
        monkeypatch.setattr(LocalTrainer, "self_check", lambda _self, command=command: command)
        other = own_line(space, judge_folder)
        assert other.level is level and words in other.message


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path_factory.mktemp("space"), images=4, videos=3)
    opened.freeze("mixed", [2, 3])
    yield opened
    opened.close()


def checks(space: Workspace, judge: Path, *, thorough: bool) -> list[Check]:
    spec = space.training_launcher.spec(
        ["mixed"],
        trainer="local",
        model=str(judge),
        device="cpu",
        train_batch_size=2,
        output_dir=str(space.folder / "out"),
    )
    return space.training_launcher.preflight(spec, thorough=thorough)


def own_line(space: Workspace, judge: Path) -> Check:
    (found,) = (one for one in checks(space, judge, thorough=True) if one.name == "Own texts")
    return found
