"""Every page on an empty, an ordinary, a large, a hostile, a damaged and a broken workspace."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from streamlit.testing.v1 import AppTest

from backend.curation.queues import NewQueue, Queues
from backend.export.claim import MANIFEST
from backend.export.exporter import ExportOptions
from backend.store.schema import jobs
from backend.workspace import Workspace, open_workspace, settings_for
from benchmarks import big_workspace
from dashboard import background
from dashboard import space as spaces
from dashboard.curate import exports
from tests.dashboard.conftest import Open
from tests.workspaces import build_hostile_workspace, build_workspace

PAGES: dict[str, dict[str, str]] = {
    "overview": {},
    "datasets": {},
    "runs": {"run": "1"},
    "compare": {"a": "1", "b": "2"},
    "browse": {},
    "review": {},
    "curate": {"runs": "1,2"},
    "training": {},
}
every_page = pytest.mark.parametrize("name", list(PAGES))


def drawn_html(test: Any) -> str:
    """What pages draw with HTML allowed."""
    bodies = [m.value for m in test.markdown if getattr(m.proto, "allow_html", False)]
    return "\n".join(bodies)


@every_page
def test_an_empty_workspace_draws_no_error(empty_space: Workspace, open_page: Open, name: str) -> None:
    test = open_page(name)
    assert not test.exception
    assert not test.error


@every_page
def test_an_ordinary_workspace_draws_no_error(demo_space: Workspace, open_page: Open, name: str) -> None:
    test = open_page(name, **PAGES[name])
    assert not test.exception
    assert not test.error


@every_page
def test_hostile_texts_are_never_drawn_as_html(workspace_folder: Path, open_page: Open, name: str) -> None:
    build_hostile_workspace(workspace_folder)
    test = open_page(name, **PAGES[name])
    assert not test.exception
    assert not test.error
    assert "onerror" not in drawn_html(test)
    assert "<script" not in drawn_html(test)


@every_page
def test_a_broken_workspace_is_one_line_and_a_hint(workspace_folder: Path, open_page: Open, name: str) -> None:
    workspace_folder.mkdir()
    (workspace_folder / "winnow.db").write_bytes(b"a letter to my aunt\n" * 99)
    test = open_page(name, **PAGES[name])
    assert not test.exception
    assert len(test.error) == 1
    assert "not a database" in test.error[0].value.replace("\\", "")


@every_page
def test_a_link_to_what_is_not_there_is_no_traceback(demo_space: Workspace, open_page: Open, name: str) -> None:
    test = open_page(name, run="99", a="99", b="x", queue="99", set="none@7", name="no such dataset")
    assert not test.exception
    for error in test.error:
        assert "Something went wrong" not in error.value


LARGE_PAIRS, SAMPLES = 1_500, 5


@pytest.fixture(scope="module")
def large_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """7,500 predictions in three runs; small media, since nobody looks at them here."""
    folder = tmp_path_factory.mktemp("large") / "ws"
    images, videos = big_workspace.make_images, big_workspace.make_videos

    def few_videos(to: Path) -> None:
        videos(to, 1)
        for number in range(1, big_workspace.VIDEOS):
            shutil.copy(to / "000.mp4", to / f"{number:03d}.mp4")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(big_workspace, "make_images", lambda to: images(to, size=64))
        patch.setattr(big_workspace, "make_videos", few_videos)
        big_workspace.build(folder, LARGE_PAIRS, SAMPLES)
    return folder


@pytest.fixture
def large_space(large_folder: Path, workspace_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    # After `workspace_folder`, which closes whatever was open before and after.
    monkeypatch.setenv("WINNOW_WORKSPACE", str(large_folder))
    space = open_workspace(settings_for(large_folder))
    yield space
    space.close()


def press(test: AppTest, label: str) -> AppTest:
    """Press the one button of that name."""
    [button] = [one for one in test.button if one.label == label]
    return button.click().run()


def words(test: AppTest) -> str:
    return "\n".join(str(one.value) for one in [*test.markdown, *test.caption, *test.subheader])


def come_in(test: AppTest) -> AppTest:
    """Wait for what was begun in the background, and draw the page again."""
    for _ in range(200):
        if all(task.done for task in list(background._tasks.values())):
            return test.run()
        time.sleep(0.05)
    raise AssertionError("the work in the background does not end")


LARGE = {**PAGES, "compare": {"a": "1", "b": "3"}, "curate": {"runs": "1,3"}}


@every_page
def test_a_large_workspace_draws_no_error_and_what_takes_long_comes_in(
    large_space: Workspace, open_page: Open, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a slow machine: nothing is there at once.
    monkeypatch.setattr(background, "_AT_ONCE_S", 0.0)
    test = open_page(name, **LARGE[name])
    assert not test.exception
    assert not test.error
    later = come_in(test)
    assert not later.exception
    assert not later.error
    shown = {
        "browse": "**7,500** matches",
        "runs": "of 4,500 are rejected",
        "review": "review in one go",
        "overview": "flagged and not settled",
        "curate": "Generators named better",
    }
    assert shown.get(name, "") in words(later)


@pytest.mark.parametrize(
    ("name", "query", "forward"),
    [("datasets", {}, "Next pairs"), ("browse", {}, "Next"), ("compare", {"a": "1", "b": "3"}, "Next pairs")],
)
def test_long_lists_are_turned_page_by_page(
    large_space: Workspace, open_page: Open, name: str, query: dict[str, str], forward: str
) -> None:
    first = come_in(open_page(name, **query))
    places = [dict(first.query_params)]
    for _ in range(2):
        first = come_in(press(first, forward))
        assert not first.exception
        assert not first.error
        places.append(dict(first.query_params))
    assert len({json.dumps(place, sort_keys=True) for place in places}) == 3


def test_a_large_queue_is_made_and_opened(large_space: Workspace, open_page: Open) -> None:
    test = press(open_page("review"), "Make queue")
    assert not test.exception
    assert not test.error
    made = Queues(large_space.database).newest()[0]
    assert made.items > 7_000
    room = open_page("review", queue=str(made.id), at=str(made.items - 1))
    assert not room.exception
    assert not room.error


@pytest.fixture(scope="module")
def damaged_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What disks do: media, a log and an export are gone, and another export's manifest is cut off."""
    folder = tmp_path_factory.mktemp("damaged") / "ws"
    space = build_workspace(folder, images=8, videos=2)
    gone, cut = space.freeze("gone", [1]), space.freeze("cut", [1])
    for one in (gone, cut):
        space.export(one, format="jsonl", out=exports.folder_of(space, one, "jsonl", ExportOptions()))
        assert exports.finished(space, one)
    shutil.rmtree(exports.folder_of(space, gone, "jsonl", ExportOptions()))
    manifest = exports.folder_of(space, cut, "jsonl", ExportOptions()) / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:40])
    # Two that look like ours and are none: a hand-made one, and one whose numbers are words.
    for name, content in (
        ("list", []),
        ("words", {"made_by": "winnow", "set": [], "rows": "many", "created_at": "yesterday"}),
    ):
        (folder / "exports" / name).mkdir()
        (folder / "exports" / name / MANIFEST).write_text(json.dumps(content))
    run = space.runs.get(1)
    with space.database.write() as connection:
        job = connection.execute(
            insert(jobs).values(
                kind="run",
                status="failed",
                argv={"argv": ["true"]},
                env={},
                devices="cpu",
                log_path=str(folder / "logs" / "gone.log"),
                attempt=1,
                cancel_requested=False,
                error="the worker ended",
                hint="the log says more",
                created_at=1.0,
                started_at=1.0,
                finished_at=2.0,
            )
        ).inserted_primary_key
        assert job is not None
        space.runs.add(
            connection,
            dataset_id=run.dataset_id,
            model="m",
            engine="transformers",
            spec=run.spec,
            policy=run.policy,
            total=8,
            job_id=int(job[0]),
        )
    Queues(space.database).make(NewQueue(kind="unreviewed", title="q"), created_by="Ada")
    shutil.rmtree(folder / "media")
    space.close()
    return folder


DAMAGED: list[tuple[str, dict[str, str]]] = [
    *PAGES.items(),
    ("datasets", {"tab": "report"}),
    ("runs", {}),
    ("runs", {"run": "4"}),
    ("runs", {"run": "4", "tab": "log"}),
    ("runs", {"run": "4", "tab": "analysis"}),
    ("runs", {"new": "1", "dataset": "pictures"}),
    ("runs", {"new": "1", "from": "4"}),
    ("review", {"queue": "1"}),
    ("curate", {"set": "gone@1"}),
    ("curate", {"set": "cut@1"}),
]


@pytest.mark.parametrize(("name", "query"), DAMAGED)
def test_what_is_missing_from_the_disk_is_one_line_at_most(
    damaged_folder: Path,
    workspace_folder: Path,
    open_page: Open,
    name: str,
    query: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WINNOW_WORKSPACE", str(damaged_folder))
    monkeypatch.setattr(Workspace, "supervise", lambda _self: None)
    spaces.forget()
    test = come_in(open_page(name, **query))
    assert not test.exception
    assert len(test.error) <= 1
    for error in test.error:
        assert "Something went wrong" not in error.value
    if query.get("tab") == "log":
        assert "log is not there" in words(test)
    if query.get("set") == "gone@1":
        assert not [one for one in test.code if "exports" in str(one.value)]
