"""The Curate page, without a browser: preview, freeze, export, what changed."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path
from typing import Any

from backend.curation.sets import get_set, list_sets
from backend.domain.people import Person, Role
from backend.export.archive import archive
from backend.workspace import Workspace
from dashboard.curate import exports
from tests.dashboard.conftest import Open


def fine(test: Any) -> bool:
    return not test.exception and not test.error


def words(test: Any) -> str:
    return "\n".join(str(one.value) for one in [*test.markdown, *test.caption, *test.subheader])


def test_an_empty_workspace_says_what_a_set_is_made_of(
    empty_space: Workspace, open_page: Open
) -> None:
    test = open_page("curate")
    assert fine(test)
    assert "Nothing to freeze yet" in words(test)


def test_a_set_is_previewed_and_frozen_and_its_url_shows_it(
    demo_space: Workspace, open_page: Open
) -> None:
    test = open_page("curate", runs="1,2")
    test.run()
    assert fine(test)
    rows = next(m for m in test.metric if m.label == "Rows")
    test.text_input(key="curate_name").set_value("first set").run()
    next(b for b in test.button if b.label == "Freeze").click().run()
    assert fine(test)
    frozen = get_set(demo_space.database, "first set")
    assert f"{frozen.counts['items']:,}" == rows.value
    assert test.query_params["set"] == "first set@1"
    again = open_page("curate", set="first set@1")
    assert "first set" in words(again).replace("\\", "")


def test_an_export_is_written_in_the_background_and_downloads_as_one_file(
    demo_space: Workspace, open_page: Open
) -> None:
    frozen = demo_space.freeze("s", [1, 3])
    test = open_page("curate", set="s@1")
    next(b for b in test.button if b.label == "Export").click().run()
    assert fine(test)
    for _ in range(100):
        if done := exports.finished(demo_space, frozen):
            break
        time.sleep(0.1)
    folder, manifest = done[0]
    assert manifest["rows"] == frozen.counts["items"]
    packed = archive(folder)
    with zipfile.ZipFile(packed) as bundle:
        assert any(name.endswith("manifest.json") for name in bundle.namelist())
        assert bundle.testzip() is None


def test_reviewers_see_sets_and_cannot_make_any(
    demo_space: Workspace, open_page: Open, monkeypatch: Any
) -> None:
    demo_space.freeze("s", [1])
    monkeypatch.setattr("dashboard.identity.present_person", lambda: Person("eve", Role.REVIEWER))
    test = open_page("curate", runs="1")
    assert fine(test)
    assert not [b for b in test.button if b.label == "Freeze"]
    assert len(list_sets(demo_space.database)) == 1


def test_a_set_that_is_not_there_is_one_line_and_a_hint(
    demo_space: Workspace, open_page: Open
) -> None:
    test = open_page("curate", set="no such set")
    assert not test.exception
    assert "no set" in test.error[0].value


def test_exports_of_hostile_names_stay_in_their_folder(demo_space: Workspace) -> None:
    frozen = demo_space.freeze("../../etc/passwd", [1])
    folder = exports.folder_of(demo_space, frozen, "jsonl", 0.0, False)
    assert folder.parent == demo_space.folder / "exports"
    assert Path(folder.name).name == folder.name
