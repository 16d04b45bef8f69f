"""Names in the chart of accuracies."""

from __future__ import annotations

import json
import time

import pytest
from streamlit.testing.v1 import AppTest

from backend.workspace import Workspace
from dashboard.overview.naming import HIGHEST, Span, free_places
from tests.dashboard.conftest import Open

# As the browser draws them at 1024 px: letters of 12 px in a chart of 165 by 205 px.
LETTER = 6.5 / 165
LINE = 14 / 205 * HIGHEST


def boxes(spans: list[Span | None], names: dict[int, int]) -> list[tuple[float, ...]]:
    """Each name's column, its reach in columns, and its heights."""
    found = []
    for at, (y, side) in free_places(spans, names).items():
        reach = names[at] * LETTER * len(spans)
        left = at - {"left": 0, "center": reach / 2, "right": reach}[side]
        right = left + reach
        found.append((left, right, y, y + LINE))
    return found


@pytest.mark.parametrize(
    ("spans", "names"),
    [
        ([(45, 83), (65, 83), (30, 90)], {1: 8, 2: 5}),
        ([(45, 83), (65, 83), (30, 90)], {0: 8, 1: 24, 2: 24}),
        ([(60, 100), (0, 100), (90, 100)], {0: 10, 1: 10}),
        ([(10, 60), None, (30, 70)], {0: 12, 2: 12}),
        ([(50 + n % 5, 70 + n % 7) for n in range(40)], {30: 12, 39: 12}),
        ([(20, 40)], {0: 10}),
    ],
)
def test_a_name_lies_on_no_interval_and_on_no_other_name(
    spans: list[Span | None], names: dict[int, int]
) -> None:
    found = boxes(spans, names)
    assert len(found) == len(names)
    for n, (left, right, low, high) in enumerate(found):
        assert low >= 0
        assert high <= HIGHEST
        crossed = [(at, at, *span) for at, span in enumerate(spans) if span]
        for first, last, a, b in [*crossed, *found[n + 1 :]]:
            assert last < left or first > right or b < low or a > high, (n, first)


def test_a_name_stands_right_above_its_own_interval_where_it_can() -> None:
    found = free_places([(45, 83), (65, 83), (30, 90)], {1: 8, 2: 5})
    assert [side for _, side in found.values()] == ["center", "center"]
    assert found[1][0] < 87 < found[2][0] < 94


def test_each_dataset_is_named_once_at_its_newest_run(
    demo_space: Workspace, open_page: Open
) -> None:
    test: AppTest = open_page("overview")
    for _ in range(50):
        assert not test.exception
        if charts := [one for one in test.get("plotly_chart") if "error_y" in one.proto.spec]:
            break
        time.sleep(0.2)  # the runs are being counted beside the page
        test.run()
    [chart] = charts
    named = json.loads(chart.proto.spec)["layout"]["annotations"]
    assert [(one["text"], one["x"]) for one in named] == [("pictures", "run 2"), ("clips", "run 3")]
    assert named[0]["y"] != named[1]["y"]
