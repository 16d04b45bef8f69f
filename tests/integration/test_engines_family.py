"""The transformers engine on the family's other models: tiny, random Qwen2-VL and Qwen3-VL."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.domain.pairs import MediaKind
from backend.engines.base import Completion, EngineOptions
from backend.engines.models import pixel_factor
from backend.engines.processing import prompt_inputs
from backend.engines.registry import load_engine
from tests.integration import tiny_models
from tests.unit.engines.engine_requests import clip, image, request

pytestmark = pytest.mark.judge


@pytest.fixture(scope="module", params=["qwen2_vl", "qwen3_vl"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    return getattr(tiny_models, f"save_{request.param}")(folder)


def test_images_and_videos_in_one_stream_are_answered_with_the_tokens_they_take(model: Path) -> None:
    options = EngineOptions(device="cpu", batch_size=3, max_new_tokens=6)
    engine = load_engine("transformers", str(model), options)
    kinds = [MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.IMAGE, MediaKind.VIDEO]
    asked = [request(number, kind) for number, kind in enumerate(kinds)]
    # A larger image and a longer clip take more tokens, or they were not looked at.
    asked.append(request(4, media=(image((9, 9, 9), 128), image((9, 9, 9), 128))))
    asked.append(request(5, MediaKind.VIDEO, media=(clip(8), clip(8))))
    outcomes = {outcome.id: outcome for outcome in engine.generate(iter(asked))}
    engine.close()
    assert sorted(outcomes) == [0, 1, 2, 3, 4, 5]
    tokens = {}
    for number, outcome in outcomes.items():
        assert isinstance(outcome, Completion), outcome
        assert 0 < (outcome.completion_tokens or 0) <= 6
        tokens[number] = outcome.prompt_tokens or 0
    # The number in a caption is a token or two.
    assert tokens[4] > max(tokens[0], tokens[2]) + 8
    assert tokens[5] > max(tokens[1], tokens[3]) + 8


def test_what_is_in_the_pixels_changes_what_is_computed(model: Path) -> None:
    options = EngineOptions(device="cpu", batch_size=1, max_new_tokens=24)
    engine = load_engine("transformers", str(model), options)
    red, green = image((220, 10, 10)), image((10, 220, 10))
    scores = []
    for media in ((red, green), (green, red), (red, green)):
        inputs = prompt_inputs(engine._processor, [request(0, media=media)])  # type: ignore[attr-defined]
        scores.append(engine._model(**inputs).logits[0, -1])  # type: ignore[attr-defined]
    engine.close()
    assert bool((scores[0] == scores[2]).all())
    assert not bool((scores[0] == scores[1]).all())


def test_an_image_resized_beforehand_is_not_resized_again_by_the_models_processor(model: Path) -> None:
    from backend.media.sizes import smart_resize

    factor = pixel_factor(str(model))
    assert factor == {"qwen2_vl": 28, "qwen3_vl": 32}[model.name.rstrip("0123456789")]
    height, width = smart_resize(300, 500, factor=factor, max_pixels=30_000)
    options = EngineOptions(device="cpu", max_new_tokens=1)
    engine = load_engine("transformers", str(model), options)
    picture = image((1, 2, 3)).resize((width, height))
    grid = prompt_inputs(engine._processor, [request(media=(picture, picture))])["image_grid_thw"]  # type: ignore[attr-defined]
    engine.close()
    assert grid.tolist() == [[1, height * 2 // factor, width * 2 // factor]] * 2
