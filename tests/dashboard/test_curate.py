"""The Curate page, without a browser: preview, freeze, export, what changed."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.curation.queues import Queues
from backend.curation.sets import get_set, list_sets
from backend.domain.people import Person, Role
from backend.errors import NotFound, ReviewError
from backend.export.archive import archive
from backend.export.exporter import ExportOptions
from backend.store.queues import QueueRows
from backend.store.sets import Sets
from backend.workspace import Workspace
from dashboard.curate import exports
from dashboard.runs.detail import TABS
from tests.dashboard.conftest import Open


def fine(test: Any) -> bool:
    return not test.exception and not test.error


def words(test: Any) -> str:
    return "\n".join(str(one.value) for one in [*test.markdown, *test.caption, *test.subheader])


def test_an_empty_workspace_says_what_a_set_is_made_of(empty_space: Workspace, open_page: Open) -> None:
    test = open_page("curate")
    assert fine(test)
    assert "Nothing to freeze yet" in words(test)


def test_a_set_is_previewed_and_frozen_and_its_url_shows_it(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("curate", runs="1,2")
    test.run()
    assert fine(test)
    rows = next(m for m in test.metric if m.label == "Rows")
    test.text_input(key="curate_name").set_value("first-set").run()
    next(b for b in test.button if b.label == "Freeze").click().run()
    assert fine(test)
    frozen = get_set(demo_space.database, "first-set")
    assert f"{frozen.counts['items']:,}" == rows.value
    assert test.query_params["set"] == "first-set@1"
    again = open_page("curate", set="first-set@1")
    assert "first-set" in words(again).replace("\\", "")


def test_the_preview_notices_rulings_that_leave_the_count_as_it_was(demo_space: Workspace, open_page: Open) -> None:
    def shown(label: str) -> str:
        return str(next(m for m in open_page("curate", runs="2").metric if m.label == label).value)

    before = (shown("Rows"), shown("By a ruling"))
    accepted = next(demo_space.predictions.iter_rows(2, decision="accepted"))["id"]
    rejected = next(demo_space.predictions.iter_rows(2, decision="rejected"))["id"]
    demo_space.rulings.add(accepted, "reject", reviewer="Ada")
    demo_space.rulings.add(rejected, "accept", reviewer="Ada")
    assert (shown("Rows"), shown("By a ruling")) == (before[0], "1")
    assert before[1] == "0"


def test_what_is_balanced_is_previewed_as_it_is_frozen(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("curate", runs="1,2,3")
    test.toggle(key="curate_balance").set_value(True).run()
    test.number_input(key="curate_seed").set_value(7).run()
    assert fine(test)
    seen = {metric.label: metric.value for metric in test.metric}
    charts = {
        name: [trace["x"][0] for trace in json.loads(one.proto.spec)["data"]]
        for name, one in zip(("Answers", "Media"), test.get("plotly_chart"), strict=False)
    }
    test.text_input(key="curate_name").set_value("even").run()
    next(b for b in test.button if b.label == "Freeze").click().run()
    frozen = get_set(demo_space.database, "even")
    counts = frozen.counts
    items = list(Sets(demo_space.database).iter_items(frozen.id))
    assert frozen.lineage["balance"]["seed"] == 7
    assert seen["Rows"] == f"{counts['items']:,}"
    assert seen["Pairs"] == f"{len({(item.dataset_id, item.key) for item in items}):,}"
    assert charts["Answers"] == [counts["first"], counts["second"]]
    assert charts["Media"] == [counts["image"], counts["video"]]


def test_an_export_is_written_in_the_background_and_downloads_as_one_file(
    demo_space: Workspace, open_page: Open
) -> None:
    frozen = demo_space.freeze("s", [1, 3])
    test = open_page("curate", set="s@1")
    next(b for b in test.button if b.label == "Export").click().run()
    assert fine(test)
    [(folder, manifest)] = exports.finished(demo_space, frozen)
    assert manifest["rows"] == frozen.counts["items"]
    packed = archive(folder)
    with zipfile.ZipFile(packed) as bundle:
        assert any(name.endswith("manifest.json") for name in bundle.namelist())
        assert bundle.testzip() is None


def test_the_form_takes_what_the_command_takes_and_refuses_a_share_out_of_range(
    demo_space: Workspace, open_page: Open
) -> None:
    frozen = demo_space.freeze("s", [1, 3])
    test = open_page("curate", set="s@1")
    test.number_input(key="export_split").set_value(1.0)
    next(b for b in test.button if b.label == "Export").click().run()
    assert "split 1 is out of range" in test.error[0].value
    assert demo_space.tasks.list() == []
    plain, judged = (exports.folder_of(demo_space, frozen, "jsonl", ExportOptions(judge=j)) for j in (None, "m"))
    assert plain != judged and plain.name.endswith("-jsonl")
    assert test.text_input(key="export_judge").value == ""


def test_reviewers_see_sets_and_cannot_make_any(demo_space: Workspace, open_page: Open, monkeypatch: Any) -> None:
    demo_space.freeze("s", [1])
    monkeypatch.setattr("dashboard.identity.present_person", lambda: Person("eve", Role.REVIEWER))
    test = open_page("curate", runs="1")
    assert fine(test)
    assert not [b for b in test.button if b.label == "Freeze"]
    assert len(list_sets(demo_space.database)) == 1


def test_a_set_that_is_not_there_is_one_line_and_a_hint(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("curate", set="no such set")
    assert not test.exception
    assert "no set" in test.error[0].value
    assert "winnow" not in test.error[0].value
    test.button(key="not_there").click().run()
    assert fine(test)
    assert "New version" in words(test)


@pytest.mark.parametrize("name", ["bad name/../x", "../../etc/passwd", "-x", "a@1", "", ".x", "a\n"])
def test_a_set_has_a_name_that_is_good_for_files_and_commands(demo_space: Workspace, name: str) -> None:
    with pytest.raises(ReviewError, match="cannot be called"):
        demo_space.freeze(name, [1])
    assert demo_space.freeze("Ré-1.2_b", [1]).name == "Ré-1.2_b"


def test_the_form_says_what_a_set_may_be_called(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("curate", runs="1")
    test.text_input(key="curate_name").set_value("bad name/../x").run()
    assert "letters, digits" in test.error[0].value
    freeze = next(b for b in test.button if b.label == "Freeze")
    freeze.click().run()
    assert "letters, digits" in test.error[0].value
    test.text_input(key="curate_name").set_value("").run()
    freeze.click().run()
    assert "no name yet" in test.error[0].value
    assert not list_sets(demo_space.database)


def test_another_policy_is_tried_where_it_can_be(
    demo_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    links: list[dict[str, str]] = []
    monkeypatch.setattr("dashboard.curate.compose.page_link", lambda *_words, **query: links.append(query))
    open_page("curate", runs="1")
    (query,) = links
    assert query["tab"] in TABS
    assert query["tab"] == "policy"


def test_lineage_counts_the_rulings_that_no_undo_took_back(demo_space: Workspace, open_page: Open) -> None:
    ids = [row["id"] for row in demo_space.predictions.iter_rows(1)]
    ada = demo_space.acting_as(Person("Ada", Role.OPERATOR))
    ada.rule_on_all(ids, "reject", token="t" * 32)
    ada.undo_act("t" * 32)
    demo_space.rulings.add(ids[0], "accept", reviewer="Ada")
    frozen = demo_space.freeze("s", [1])
    assert frozen.lineage["runs"][0]["reviews"] == 1
    assert "1 ruling in force then" in words(open_page("curate", set="s@1"))


def test_looking_at_what_changed_leaves_no_queue_behind(demo_space: Workspace, open_page: Open) -> None:
    demo_space.freeze("s", [1])
    demo_space.freeze("s", [1, 2])
    test = open_page("curate", set="s@2")
    for _ in range(2):
        next(b for b in test.button if b.label == "Look at those added").click().run()
        assert fine(test)
    assert Queues(demo_space.database).newest() == []
    assert QueueRows(demo_space.database).get(1).items == 96 - 24
    with pytest.raises(NotFound):
        QueueRows(demo_space.database).get(2)


def test_the_rows_of_a_set_are_paged_by_their_place(demo_space: Workspace) -> None:
    frozen = demo_space.freeze("s", [1, 2])
    seen: list[int] = []
    after = -1
    while page := Sets(demo_space.database).shown(frozen.id, after=after, limit=7):
        seen += [item.prediction_id for item in page]
        after = page[-1].position
    assert seen == [item.prediction_id for item in Sets(demo_space.database).iter_items(frozen.id)]


def test_a_page_of_a_set_s_rows_is_in_the_address(demo_space: Workspace, open_page: Open) -> None:
    demo_space.freeze("s", [1, 2])
    test = open_page("curate", set="s@1")
    assert "Rows 1 to 24, in frozen order" in words(test)
    next(b for b in test.button if b.label == "Next rows").click().run()
    assert fine(test)
    assert test.query_params["after"] == "23"
    assert "Rows 25 to 48, in frozen order" in words(test)


def test_a_failed_export_says_so_until_it_is_put_away(
    demo_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = demo_space.freeze("s", [1])

    def full(*_given: object, **_named: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Workspace, "export", full)
    exports.start(demo_space, frozen, "jsonl")
    test = open_page("curate", set="s@1")
    assert "no space left" in test.error[0].value
    next(b for b in test.button if b.label == "Dismiss").click().run()
    assert not demo_space.tasks.list()
    assert fine(open_page("curate", set="s@1"))


def test_exports_of_hostile_names_stay_in_their_folder(demo_space: Workspace) -> None:
    # Such a name can be in a workspace from before names were checked.
    frozen = replace(demo_space.freeze("s", [1]), name="../../etc/passwd")
    folder = exports.folder_of(demo_space, frozen, "jsonl", ExportOptions())
    assert folder.parent == demo_space.folder / "exports"
    assert Path(folder.name).name == folder.name
