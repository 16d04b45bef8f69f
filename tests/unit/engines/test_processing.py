"""What a model's processor is asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.pairs import MediaKind
from backend.engines.processing import prompt_inputs
from tests.unit.engines.engine_requests import request


class Processor:
    """Notes what it is called with."""

    def __init__(self, **of_videos: object) -> None:
        self.video_processor = SimpleNamespace(**of_videos)

    def apply_chat_template(self, *_: object, **__: object) -> str:
        return ""

    def __call__(self, **arguments: Any) -> dict[str, Any]:
        return arguments


@pytest.mark.torch
@pytest.mark.parametrize(("of_videos", "said"), [({"cap_pixels_per_frame": None}, True), ({}, None)])
def test_a_processor_that_can_cap_each_frame_is_told_to_and_another_is_not(
    of_videos: dict[str, object], said: bool | None
) -> None:
    found = prompt_inputs(Processor(**of_videos), [request(kind=MediaKind.VIDEO)])
    assert found.get("cap_pixels_per_frame") is said
    assert found["do_sample_frames"] is False
