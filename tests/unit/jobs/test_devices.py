"""Which jobs may run side by side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.jobs.devices import overlap

DEVICES = st.sampled_from(["", "cpu", "cuda", "cuda:0", "cuda:1", "cuda:0,1", "cuda:2,cuda:3"])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("cpu", "cpu", True),
        ("cpu", "cuda:0", False),
        ("cuda:0,1", "cuda:1", True),
        ("cuda:0,1", "cuda:2", False),
        ("cuda:0,cuda:1", "cuda:1", True),
        ("cuda", "cuda:7", True),
        ("cuda:1", "cuda:10", False),
        ("", "cpu", False),
        ("", "", False),
        (" CUDA:0 , 1", "cuda:1", True),
        ("cpu,cuda:0", "cuda:0", True),
    ],
)
def test_sets_overlap_when_they_share_a_device(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected


@given(DEVICES, DEVICES)
def test_overlap_is_mutual_and_everything_overlaps_itself(one: str, other: str) -> None:
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, one) == bool(one)
