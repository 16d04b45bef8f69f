"""Importing texts made elsewhere: checked whole first, stored in chunks, the same when repeated."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from backend.curation.sets import freeze
from backend.domain.filtering import PRESETS, Policy
from backend.errors import DatasetError, RunError
from backend.inference import imports
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.store.schema import predictions, runs
from backend.store.unfinished import ABANDONED_S, marked_runs
from backend.workspace import Workspace
from tests.workspaces import build_workspace

SPEC = RunSpec(model="m", engine="import", instruction=instructions(None, use_cot=True))
TEXT = "<think>why</think><answer>Image 1 is better</answer>"
PAIRS = 12


@pytest.fixture
def space(tmp_path: Path, either_url: str | None) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path / "ws", images=PAIRS, videos=1, url=either_url)
    yield opened
    opened.close()


def write(space: Workspace, *changed: tuple[int, Any]) -> Path:
    lines: list[Any] = [json.dumps({"index": n, "text": TEXT}) for n in range(PAIRS)]
    for place, line in changed:
        lines[place] = line if isinstance(line, str) else json.dumps(line)
    file = space.folder / "texts.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


def bring_in(space: Workspace, file: Path, policy: Policy | None = None) -> int:
    return import_predictions(space.database, 1, SPEC, policy or Policy(), file)


def stored(space: Workspace, run_id: int) -> int:
    with space.database.read() as connection:
        query = select(func.count()).select_from(predictions).where(predictions.c.run_id == run_id)
        return int(connection.execute(query).scalar_one())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{oops", "invalid JSON"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "invalid JSON"),
        ("[1]", "needs a text"),
        ({"index": True, "text": TEXT}, "needs a text"),
        ({"index": 900, "text": TEXT}, "no pair 900"),
        ({"key": "nosuch", "text": TEXT}, "no pair 'nosuch'"),
        ({"index": 3, "text": TEXT}, "was given before"),
        ({"index": 9, "key": "another", "text": TEXT}, "not another"),
        ({"index": 9, "key": 9, "text": TEXT}, "key 9 names no pair"),
        ({"index": 9, "text": TEXT, "order": "upside"}, "unknown order"),
        ({"index": 9, "text": TEXT, "sample": -1}, "sample"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_nothing_is_stored(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, line: Any, said: str
) -> None:
    monkeypatch.setattr(imports, "CHUNK", 4)
    before = len(space.runs.list())
    with pytest.raises(DatasetError, match=said) as caught:
        bring_in(space, write(space, (9, line)))
    assert "texts.jsonl:10:" in caught.value.message
    assert caught.value.hint
    assert len(space.runs.list()) == before


def test_the_same_file_again_is_the_same_run_and_another_policy_another_one(space: Workspace) -> None:
    file = write(space)
    run_id = bring_in(space, file)
    assert bring_in(space, file) == run_id
    assert stored(space, run_id) == PAIRS
    assert bring_in(space, file, PRESETS["clean"]) != run_id


def test_an_import_that_was_cut_off_goes_on_at_its_line_and_others_can_write_meanwhile(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "CHUNK", 4)
    places = imports._places
    calls: list[int] = []

    def crash(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 5:  # three chunks were checked; this is the second to be stored
            reviewer = threading.Thread(target=lambda: calls.append(space.rulings.add(1, "flag", reviewer="ada").id))
            reviewer.start()
            reviewer.join(timeout=20)
            raise KeyboardInterrupt
        return places(*arguments)

    file = write(space)
    with monkeypatch.context() as patch:
        patch.setattr(imports, "_places", crash)
        with pytest.raises(KeyboardInterrupt):
            bring_in(space, file)
    assert len(calls) == 6, "a reviewer had to wait for the whole import"
    (run_id,) = marked_runs(space.database)
    assert stored(space, run_id) == 4
    with pytest.raises(RunError, match="imported"):
        freeze(space.database, "s", [run_id])
    with pytest.raises(RunError, match="another process"):
        bring_in(space, file)
    with space.database.write() as connection:
        progress = connection.execute(select(runs.c.progress).where(runs.c.id == run_id)).scalar_one()
        progress["unfinished"]["at"] -= 2 * ABANDONED_S
        connection.execute(update(runs).where(runs.c.id == run_id).values(progress=progress))
    for change in (lambda: space.launcher.refilter(run_id, Policy()), lambda: space.launcher.reparse(run_id)):
        with pytest.raises(RunError, match="still being imported"):
            change()  # it would pass for whole with what is there
    cut_off = space.runs.get(run_id)
    assert cut_off.status == "interrupted" and "again" in (cut_off.hint or "")
    assert bring_in(space, file) == run_id
    assert stored(space, run_id) == PAIRS
    assert space.runs.get(run_id).status == "finished"
    assert freeze(space.database, "s", [run_id]).counts["items"] == PAIRS


def test_a_text_that_no_database_holds_is_stored_readably(space: Workspace) -> None:
    hostile = "<think>\ud800 \0 \ud83d\ude00</think><answer>Image 1 is better</answer>"
    run_id = bring_in(space, write(space, (0, {"index": 0, "text": hostile})))
    row = next(iter(space.predictions.iter_rows(run_id)))
    assert row["text"] == "<think>� � \U0001f600</think><answer>Image 1 is better</answer>"
    assert row["answer"] == "first"


def test_a_key_or_a_finish_reason_that_is_no_text_leaves_no_half_import(space: Workspace) -> None:
    with pytest.raises(DatasetError, match=r":1: key .* names no pair"):
        bring_in(space, write(space, (0, {"key": "\ud800", "text": TEXT})))
    run_id = bring_in(space, write(space, (0, {"index": 0, "finish_reason": "\ud800\0" + "x" * 99, "text": TEXT})))
    row = next(iter(space.predictions.iter_rows(run_id)))
    assert row["finish_reason"] == "\ufffd\ufffd" + "x" * 18
    assert marked_runs(space.database) == {}


def test_an_index_and_the_key_of_the_same_pair_may_both_be_given(space: Workspace) -> None:
    keys = {row["index"]: row["key"] for row in space.predictions.iter_rows(1)}
    both = {"index": 0, "key": keys[0], "text": TEXT}
    by_key = {"index": None, "key": keys[1], "text": TEXT}
    run_id = bring_in(space, write(space, (0, both), (1, by_key)))
    assert stored(space, run_id) == PAIRS
