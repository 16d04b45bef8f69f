"""The page Datasets: adding in the background, the report, the gallery and its filters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backend.datasets.registry import SOURCES
from backend.domain.people import Person, Role
from backend.errors import Forbidden, UsageError
from backend.store.gallery import Gallery
from backend.workspace import Workspace
from dashboard.datasets.adding import start
from tests.dashboard.conftest import Open
from tests.workspaces import write_image_pairs


@pytest.fixture
def odd_pairs(tmp_path: Path) -> str:
    """Ten pairs, of which one is a tie, one is listed twice, one contradicts, one lacks a file."""
    folder = tmp_path / "odd"
    write_image_pairs(folder, 10)
    rows = [
        {
            "prompt": row["prompt"],
            "first": row["path1"],
            "second": row["path2"],
            "preference": "tie" if i == 3 else "first",
        }
        for i, row in enumerate(json.loads((folder / "pairs.json").read_text()))
    ]
    rows += [rows[1], {**rows[2], "preference": "second"}]
    (folder / "006-lose.jpg").unlink()
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"pairs:{file}"


def in_url(test: AppTest, name: str) -> str:
    value = test.query_params[name]
    return value if isinstance(value, str) else value[0]


def captions(test: AppTest) -> list[str]:
    """The facts on the gallery's cards."""
    (gallery,) = test.get("bidi_component")
    return [card["facts"] for card in json.loads(gallery.proto.json)["cards"]]


def test_an_empty_workspace_explains_datasets_and_shows_the_form(empty_space: Workspace, open_page: Open) -> None:
    test = open_page("datasets")
    assert not test.exception
    assert not test.error
    assert test.subheader[0].value == "No datasets yet"
    assert test.text_input
    (told,) = (one.value for one in test.markdown if "Preferred:" in one.value)
    assert all(one.purpose in told and one.file in told for one in SOURCES.usable)


def test_a_dataset_is_added_in_the_background_and_shown(
    empty_space: Workspace, open_page: Open, odd_pairs: str
) -> None:
    test = open_page("datasets")
    source, name, _root = test.text_input
    source.input(odd_pairs)
    name.input("odd")
    test.button[0].click().run()
    assert not test.error
    counts = empty_space.datasets.get("odd").counts
    assert (counts["pairs"], counts["ties"], counts["conflicts"], counts["missing"]) == (10, 1, 1, 1)
    report = "".join(element.proto.body for element in test.get("html"))
    assert "<b>10</b><span>pairs</span>" in report
    assert "<b>9</b><span>can be judged</span>" in report


def test_links_are_allowed_in_the_form_and_a_dataset_without_a_usable_pair_says_so(
    empty_space: Workspace, open_page: Open, tmp_path: Path
) -> None:
    write_image_pairs(tmp_path / "blobs", 2)
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "pairs.json").write_text((tmp_path / "blobs" / "pairs.json").read_text())
    for picture in (tmp_path / "blobs").glob("*.jpg"):
        (tmp_path / "snapshot" / picture.name).symlink_to(picture)
    spec = f"hpdv3:{tmp_path / 'snapshot' / 'pairs.json'}"
    empty_space.add_dataset(name="refused", spec=spec)
    test = open_page("datasets", name="refused")
    assert "No pair can be judged" in test.warning[0].value
    source, name, _root = test.text_input
    source.input(spec)
    name.input("allowed")
    (links,) = test.text_area
    links.input(f"{tmp_path / 'blobs'}\n\n")
    next(button for button in test.button if button.label == "Add dataset").click().run()
    found = empty_space.datasets.get("allowed")
    assert (found.judgeable, found.links_to) == (2, (str(tmp_path / "blobs"),))
    assert not open_page("datasets", name="allowed").warning


def test_an_import_that_fails_says_why_and_can_be_dismissed(empty_space: Workspace, open_page: Open) -> None:
    start(empty_space, "pairs:/nowhere.jsonl", "lost", "", True)
    test = open_page("datasets")
    (error,) = test.error
    assert "no such file" in error.value
    test.button(key="task_dismiss_1").click().run()
    assert not test.error


@pytest.mark.parametrize(("source", "name"), [("no source", "x"), ("pairs:/x", ""), ("", "x")])
def test_what_cannot_be_added_is_refused_at_once(empty_space: Workspace, source: str, name: str) -> None:
    with pytest.raises(UsageError):
        start(empty_space, source, name, "", True)


def test_filters_show_ties_repeated_contradicted_and_missing(
    empty_space: Workspace, open_page: Open, odd_pairs: str
) -> None:
    empty_space.add_dataset(name="odd", spec=odd_pairs)
    shown = {
        chosen: captions(open_page("datasets", name="odd", filter=chosen))
        for chosen in ("all", "ties", "duplicates", "conflicts", "missing")
    }
    assert len(shown["all"]) == 10
    assert shown["ties"] == ["row 3 · tie"]
    assert shown["duplicates"] == ["row 1 · again in row 10", "row 2 · again in row 11"]
    assert shown["conflicts"] == ["row 2 · contradicted in row 11"]
    assert shown["missing"] == ["row 6 · media missing or unreadable"]


def test_pages_follow_each_other_and_the_url_says_where_one_is(
    empty_space: Workspace, open_page: Open, tmp_path: Path
) -> None:
    write_image_pairs(tmp_path / "many", 30)
    empty_space.add_dataset(name="many", spec=f"hpdv3:{tmp_path / 'many' / 'pairs.json'}")
    test = open_page("datasets", name="many")
    first = captions(test)
    test.button(key="pairs_next").click().run()
    rest = captions(test)
    assert first + rest == [f"row {i}" for i in range(30)]
    assert captions(open_page("datasets", name="many", after=in_url(test, "after"))) == rest


def test_the_rare_ones_are_found_by_an_index(empty_space: Workspace) -> None:
    gallery = Gallery(empty_space.database, 1)
    assert empty_space.database.is_sqlite
    plans: list[str] = []
    with empty_space.database.engine.connect() as connection:
        from sqlalchemy import event

        def note(_c: object, _k: object, statement: str, parameters: object, *_rest: object) -> None:
            if "pairs" in statement and not statement.startswith("EXPLAIN"):
                raw = connection.connection.dbapi_connection
                rows = raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()  # type: ignore[union-attr]
                plans.append(" ".join(str(row[-1]) for row in rows))

        event.listen(empty_space.database.engine, "before_cursor_execute", note)
        gallery.pairs("ties")
        gallery.pairs("missing")
        event.remove(empty_space.database.engine, "before_cursor_execute", note)
    ties, missing = plans
    assert "ix_pairs_ties" in ties
    assert "ix_pairs_media_missing" in missing


def test_the_report_lists_file_and_row(empty_space: Workspace, open_page: Open, odd_pairs: str) -> None:
    empty_space.add_dataset(name="odd", spec=odd_pairs)
    test = open_page("datasets", name="odd", tab="report", code="conflict")
    (table,) = test.dataframe
    assert list(table.value["row"]) == [11]
    assert "prefers second where index 2" in table.value["message"][0]


def test_a_reviewer_cannot_add_datasets(
    demo_space: Workspace, open_page: Open, odd_pairs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = Person("eve", Role.REVIEWER)
    monkeypatch.setattr("dashboard.identity.present_person", lambda: eve)
    test = open_page("datasets", name="clips")
    assert not test.error
    assert not test.text_input
    with pytest.raises(Forbidden):
        demo_space.acting_as(eve).add_dataset(name="odd", spec=odd_pairs)


def test_a_dataset_that_is_not_there_is_one_line_and_a_way_on(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("datasets", name="nope")
    (error,) = test.error
    assert "there is no dataset nope" in error.value
    assert not test.selectbox
    test.button(key="not_there").click().run()
    assert not test.error
    assert test.selectbox(key="name").value == "clips"
