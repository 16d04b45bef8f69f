"""Reading stored texts again: verdicts become what a fresh reading gives, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from backend.curation.sets import freeze, get_set
from backend.domain.browse import BrowseFilter
from backend.domain.filtering import PRESETS, load_policy
from backend.domain.reading import Flaw, flaws_of
from backend.errors import RunError
from backend.inference import reparsing
from backend.inference.analysis import analyse
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.store.browse import Browse
from backend.store.dimension_scores import RECIPE
from backend.store.lazy_index import LazyIndex
from backend.store.predictions import Predictions
from backend.store.schema import runs, set_items, verdicts
from backend.store.unfinished import marked_runs
from backend.workspace import Workspace
from tests.workspaces import build_workspace

RUN, OTHER = 2, 1
_PARSED = ("answer", "margin", "flaws", "reasoning_hash", "scores")
_DECIDED = ("decision", "reason", "ruling", "reviewer", "effective")


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, either_url: str | None) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path / "ws", images=12, videos=1, url=either_url)
    opened.launcher.refilter(RUN, PRESETS["clean"])
    monkeypatch.setattr(reparsing, "ROWS", 10)  # several pages
    yield opened
    opened.close()


def kept(space: Workspace, run: int, *names: str) -> list[tuple[Any, ...]]:
    columns = [verdicts.c[name] for name in ("prediction_id", *names)]
    query = select(*columns).where(verdicts.c.run_id == run).order_by(verdicts.c.prediction_id)
    with space.database.read() as connection:
        return [tuple(row) for row in connection.execute(query)]


def age(space: Workspace, run: int = RUN) -> None:
    """As an older parser would have left a run: every third verdict without answer and scores, every
    third with the other answer."""
    with space.database.write() as connection:
        for prediction_id, answer in kept(space, run, "answer"):
            of_it = update(verdicts).where(verdicts.c.prediction_id == prediction_id)
            if prediction_id % 3 == 0:
                nothing = {"dimensions": [], "totals": [None, None]}
                connection.execute(of_it.values(answer=None, margin=None, flaws=1, reasoning_hash=None, scores=nothing))
            elif prediction_id % 3 == 1 and answer in ("first", "second"):
                other = {"first": "second", "second": "first"}[answer]
                connection.execute(of_it.values(answer=other, margin=-3.0))
    space.launcher.refilter(run, load_policy(space.runs.get(run).policy))


def test_verdicts_of_an_older_parser_become_what_a_fresh_reading_gives(space: Workspace) -> None:
    fresh = kept(space, RUN, *_PARSED, *_DECIDED)
    others = kept(space, OTHER, *_PARSED, *_DECIDED)
    answers = kept(space, RUN, "answer")
    age(space)
    aged = kept(space, RUN, *_PARSED, *_DECIDED)
    assert aged != fresh
    found = space.launcher.reparse(RUN)
    assert kept(space, RUN, *_PARSED, *_DECIDED) == fresh
    assert kept(space, OTHER, *_PARSED, *_DECIDED) == others
    assert marked_runs(space.database) == {}
    assert space.runs.get(RUN).policy["name"] == "clean"
    assert found.read == len(fresh)
    assert found.changed == sum(a[1:6] != b[1:6] for a, b in zip(aged, fresh, strict=True))
    assert found.answers == sum(a[1] != b[1] for a, b in zip(aged, answers, strict=True))
    assert found.decisions > 0
    again = space.launcher.reparse(RUN)
    assert (again.read, again.changed, again.answers, again.decisions) == (len(fresh), 0, 0, 0)


def test_a_preview_says_which_answers_change_and_changes_nothing(space: Workspace) -> None:
    age(space)
    aged = kept(space, RUN, *_PARSED, *_DECIDED)
    with space.database.write() as connection:
        connection.execute(update(runs).values(reader=1))
    assert space.runs.get(RUN).read_by_older
    preview = space.launcher.preview_reparse(RUN)
    assert kept(space, RUN, *_PARSED, *_DECIDED) == aged
    found = space.launcher.reparse(RUN)
    assert (preview.read, preview.changed) == (found.read, found.changed)
    assert preview.answers.total() == found.answers > 0
    assert len(preview.listed) == found.answers
    assert all(one.before != one.after for one in preview.listed)
    assert not space.runs.get(RUN).read_by_older
    assert space.runs.get(OTHER).read_by_older


def test_a_long_text_alone_does_not_stop_it(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = kept(space, RUN, *_PARSED)
    age(space)
    monkeypatch.setattr(reparsing, "CHARACTERS", 10)  # less than any text
    space.launcher.reparse(RUN)
    assert kept(space, RUN, *_PARSED) == fresh


def test_rulings_are_kept_and_a_frozen_set_stays_as_it_was(space: Workspace) -> None:
    age(space)
    frozen = freeze(space.database, "s", [RUN])
    by_decision = {word: row for row, word in reversed(kept(space, RUN, "decision"))}
    space.rulings.add(by_decision["accepted"], "reject", reviewer="ada")
    space.rulings.add(by_decision["rejected"], "flag", reviewer="ada")

    def items() -> list[Any]:
        with space.database.read() as connection:
            return connection.execute(select(set_items).order_by(set_items.c.position)).all()

    before = items()
    space.launcher.reparse(RUN)
    rows = {row[0]: row[1:] for row in kept(space, RUN, "ruling", "reviewer", "effective")}
    assert rows[by_decision["accepted"]] == ("reject", "ada", "rejected")
    assert rows[by_decision["rejected"]][:2] == ("flag", "ada")
    assert items() == before
    assert get_set(space.database, "s").content_hash == frozen.content_hash


def test_what_was_cut_off_is_neither_frozen_nor_decided_before_it_is_done_again(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = kept(space, RUN, *_PARSED, *_DECIDED)
    age(space)
    aged = kept(space, RUN, *_PARSED)
    parsed, calls = reparsing.parsed, 0

    def crash(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 25:
            raise KeyboardInterrupt
        return parsed(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(reparsing, "parsed", crash)
        with pytest.raises(KeyboardInterrupt):
            space.launcher.reparse(RUN)
    now = kept(space, RUN, *_PARSED)
    assert now[:20] == [row[:6] for row in fresh[:20]]
    assert now[20:] == aged[20:]
    with pytest.raises(RunError, match="parsed again"):
        freeze(space.database, "s", [RUN])
    with pytest.raises(RunError, match="parsed again"):
        space.launcher.refilter(RUN, PRESETS["agreement"])
    assert space.launcher.finish_deciding() == []
    space.launcher.reparse(RUN)
    assert kept(space, RUN, *_PARSED, *_DECIDED) == fresh
    assert freeze(space.database, "s", [RUN]).counts["items"]


def test_a_filter_by_scores_and_a_kept_analysis_follow(space: Workspace) -> None:
    wanted = BrowseFilter(runs=(RUN,), dimension="authenticity", measure="first", score_min=1)
    index = LazyIndex(space.database, RECIPE)
    fresh = Browse(space.database).count(wanted)
    sums = analyse(space.database, space.folder, space.runs.get(RUN))
    age(space)
    index.catch_up(10)
    assert index.complete() == space.database.is_sqlite  # PostgreSQL has indexes of its own
    assert Browse(space.database).count(wanted) < fresh
    assert analyse(space.database, space.folder, space.runs.get(RUN)) != sums
    space.launcher.reparse(RUN)
    assert Browse(space.database).count(wanted) == fresh
    index.catch_up(10)
    assert index.complete() == space.database.is_sqlite  # PostgreSQL has indexes of its own
    assert Browse(space.database).count(wanted) == fresh
    assert analyse(space.database, space.folder, space.runs.get(RUN)) == sums


def test_a_run_that_goes_is_left_alone(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept(space, RUN, *_PARSED)
    get = space.runs.get

    def running(run: int) -> Any:
        from dataclasses import replace

        return replace(get(run), status="running")

    monkeypatch.setattr(space.launcher._runs, "get", running)
    with pytest.raises(RunError, match="is running"):
        space.launcher.reparse(RUN)
    assert kept(space, RUN, *_PARSED) == before
    assert Predictions(space.database).find(RUN, index=0, order="dataset")


def test_reasoning_that_repeats_stays_marked_and_does_not_count_as_changed(space: Workspace, tmp_path: Path) -> None:
    same = "<think>the same for all</think><answer>Image 1 is better</answer>"
    file = tmp_path / "same.jsonl"
    file.write_text("".join(json.dumps({"index": i, "text": same}) + "\n" for i in range(6)))
    spec = RunSpec(model="m", engine="import", instruction=instructions(None, use_cot=True))
    dataset = space.datasets.get("pictures").id
    run = import_predictions(space.database, dataset, spec, PRESETS["agreement"], file)
    before = kept(space, run, *_PARSED)
    assert all(Flaw.REPEATED_REASONING in flaws_of(row[3]) for row in before)
    assert space.launcher.reparse(run).changed == 0
    assert kept(space, run, *_PARSED) == before
