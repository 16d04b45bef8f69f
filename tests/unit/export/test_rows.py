"""One exported row: order, label, instruction and paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.pairs import MediaKind, Order, Preference
from backend.errors import ExportError, MediaError
from backend.export.rows import RowMaker, response_text
from backend.media.paths import MediaRoot
from backend.store.sets import ItemRow

TEXT = "junk <think>\n why \n</think> more junk\n<answer>Image 2 is better</answer> tail"


def item(**changes: Any) -> ItemRow:
    row = ItemRow(
        prediction_id=1,
        run_id=1,
        dataset_id=1,
        idx=4,
        key="k4",
        kind="image",
        prompt="a {prompt} cat",
        first_path="a.png",
        second_path="b.png",
        preference="first",
        shown_order="swapped",
        sample=0,
        text=TEXT,
        answer="second",
        decision="accepted",
        ruling=None,
        scores={"dimensions": [], "totals": [7, 9]},
    )
    return row._replace(**changes)


def test_a_row_stands_in_shown_order_with_the_recorded_side_turned_along(tmp_path: Path) -> None:
    row = RowMaker({}, str(tmp_path)).row(item())
    assert row.media == (str(tmp_path / "b.png"), str(tmp_path / "a.png"))
    assert (row.answer, row.recorded) == (Preference.SECOND, Preference.SECOND)
    straight = RowMaker({}, str(tmp_path)).row(item(shown_order="dataset", answer="first"))
    assert straight.media == (str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    assert (straight.answer, straight.recorded) == (Preference.FIRST, Preference.FIRST)
    assert (row.order, straight.order) == (Order.SWAPPED, Order.DATASET)
    # The judge's totals are of what it saw: the first is that of the medium shown first.
    assert row.totals == straight.totals == (7, 9)


@given(st.sampled_from(Order), st.sampled_from(["first", "second"]), st.sampled_from(["first", "second"]))
def test_answer_and_recorded_side_name_the_same_files_in_both_orders(order: Order, answer: str, recorded: str) -> None:
    """``answer`` and ``recorded`` are in dataset order here; the row has them as shown."""
    given_item = item(shown_order=order.value, answer=order.turn(answer).value, preference=recorded)
    row = RowMaker({}, "/data").row(given_item)
    files = {"first": "/data/a.png", "second": "/data/b.png"}
    assert row.answer.ranked(*row.media)[0] == files[answer]
    assert row.recorded.ranked(*row.media)[0] == files[recorded]
    number = {Preference.FIRST: 1, Preference.SECOND: 2}[row.answer]
    assert row.response.endswith(f"<answer>Image {number} is better</answer>")


def test_the_response_is_rebuilt_without_what_stands_around_the_tags(tmp_path: Path) -> None:
    row = RowMaker({}, str(tmp_path)).row(item())
    assert row.response == "<think>\nwhy\n</think>\n<answer>Image 2 is better</answer>"
    without = RowMaker({"use_cot": False}, str(tmp_path)).row(item())
    assert without.response == "<answer>Image 2 is better</answer>"
    tie = response_text(MediaKind.VIDEO, "", Preference.TIE)
    assert tie == "<answer>Both videos are equally good</answer>"


def test_the_instruction_is_the_runs_with_the_caption_as_it_is(tmp_path: Path) -> None:
    spec = {"instruction": {"image": "Judge {prompt} {other}"}, "options": {"video_fps": 4}}
    row = RowMaker(spec, str(tmp_path)).row(item())
    assert row.instruction == "Judge a {prompt} cat {other}"
    assert row.video_fps == 4.0


def test_a_medium_outside_of_the_data_root_is_refused_and_the_pair_is_named(tmp_path: Path) -> None:
    for path in ("../b.png", "/etc/passwd", "https://host/b.png", ""):
        with pytest.raises(ExportError, match=r"pair 4 \(k4\)") as caught:
            RowMaker({}, str(tmp_path)).row(item(second_path=path))
        assert "\n" not in caught.value.message


@pytest.fixture
def root(tmp_path: Path) -> MediaRoot:
    """A data root with a folder, a folder that is a link outwards, and a file that is one."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.png").touch()
    folder = tmp_path / "root" / "images"
    folder.mkdir(parents=True)
    (folder / "a.png").touch()
    (tmp_path / "root" / "away").symlink_to(tmp_path / "outside")
    (folder / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
    (folder / "inner.png").symlink_to(folder / "a.png")
    made = MediaRoot(str(tmp_path / "root"))
    # From here on both folders are known, and only the file itself is looked at.
    made.join("images/a.png")
    made.join("a.png")
    return made


@pytest.mark.parametrize(
    "path",
    [
        "images/link.png",
        "away/secret.png",
        "images/../../x",
        "images/..",
        "data:x",
        "a\0b",
        "http://a/b",
        "images/",
        "/tmp/x.png",
    ],
)
def test_known_folders_do_not_let_a_file_outside_of_them_through(root: MediaRoot, tmp_path: Path, path: str) -> None:
    if path == "images/..":
        # Inside the root, if of no use; what opens it says so.
        assert root.join(path) == str(tmp_path / "root" / path)
        return
    if path == "images/":
        assert root.join(path)
        return
    with pytest.raises(MediaError):
        root.join(path)


def test_files_and_links_inside_of_the_root_are_joined_as_they_are_written(root: MediaRoot, tmp_path: Path) -> None:
    for path in ("images/a.png", "images/inner.png", "images/not-there.png", "new/folder/x.png"):
        assert root.join(path) == str(tmp_path / "root" / path)
    inside = str(tmp_path / "root" / "images" / "a.png")
    assert root.join(inside) == inside
