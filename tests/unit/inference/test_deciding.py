"""Deciding a run anew in chunks: rulings get in between, and what is cut off is finished later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from backend.curation.sets import freeze
from backend.domain.filtering import PRESETS, Policy
from backend.errors import RunError
from backend.inference import deciding
from backend.store.schema import runs, verdicts
from backend.store.unfinished import ABANDONED_S, marked_runs
from backend.workspace import Workspace
from tests.workspaces import build_workspace

RUN = 2
AGREEMENT = PRESETS["agreement"]
STRICT = Policy(name="strict", min_margin=100)  # which nothing reaches


@pytest.fixture
def space(tmp_path: Path, either_url: str | None) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path / "ws", images=12, videos=1, url=either_url)
    yield opened
    opened.close()


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``between(act)``: small chunks, and ``act`` once, after the first of them was decided."""

    def arrange(act: Any) -> None:
        monkeypatch.setattr(deciding, "CHUNK", 8)
        changed = deciding._changed
        calls: list[int] = []

        def once(*arguments: Any) -> Any:
            result = changed(*arguments)
            calls.append(1)
            if len(calls) == 2:
                act()
            return result

        monkeypatch.setattr(deciding, "_changed", once)

    return arrange


def decisions(space: Workspace) -> list[tuple[Any, ...]]:
    query = select(verdicts.c.prediction_id, verdicts.c.decision, verdicts.c.reason, verdicts.c.effective).where(
        verdicts.c.run_id == RUN
    )
    with space.database.read() as connection:
        return sorted(tuple(row) for row in connection.execute(query))


def on_a_thread(act: Any) -> list[Any]:
    """What ``act`` gives on a thread of its own; empty when it has to wait for us."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(act()))
    thread.start()
    thread.join(timeout=20)
    return results


@pytest.mark.parametrize("place", [0, 20, -1])
def test_rulings_get_in_while_a_run_is_decided_anew_and_stand(space: Workspace, between: Any, place: int) -> None:
    rows = decisions(space)
    prediction, before = rows[place][0], rows[place][1]
    ruling = "reject" if before == "accepted" else "accept"
    stored: list[Any] = []
    between(lambda: stored.extend(on_a_thread(lambda: space.rulings.add(prediction, ruling, reviewer="ada"))))
    space.launcher.refilter(RUN, STRICT)
    assert stored, "the reviewer had to wait for the whole run"
    row = next(row for row in decisions(space) if row[0] == prediction)
    assert row[3] == {"reject": "rejected", "accept": "accepted"}[ruling]


def test_a_ruling_that_is_undone_meanwhile_leaves_the_new_decision(space: Workspace, between: Any) -> None:
    accepted = [row[0] for row in decisions(space) if row[1] == "accepted"]
    prediction = accepted[len(accepted) // 2]
    space.rulings.add(prediction, "reject", reviewer="ada")
    undone: list[Any] = []
    between(lambda: undone.extend(on_a_thread(lambda: space.rulings.add(prediction, "undo", reviewer="ada"))))
    space.launcher.refilter(RUN, AGREEMENT)
    assert undone
    assert next(row for row in decisions(space) if row[0] == prediction)[3] == "accepted"


def test_deciding_that_was_cut_off_is_finished_when_the_workspace_is_opened_again(
    space: Workspace, between: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = decisions(space)

    def crash() -> None:
        raise KeyboardInterrupt

    between(crash)
    with pytest.raises(KeyboardInterrupt):
        space.launcher.refilter(RUN, STRICT)
    partly = decisions(space)
    assert space.launcher.finish_deciding() == []  # whoever does it may still be alive
    with pytest.raises(RunError, match="decided anew"):
        freeze(space.database, "s", [RUN])
    with space.database.write() as connection:
        progress = connection.execute(select(runs.c.progress).where(runs.c.id == RUN)).scalar_one()
        progress["unfinished"]["at"] -= 2 * ABANDONED_S
        connection.execute(update(runs).where(runs.c.id == RUN).values(progress=progress))
    space.reconcile()
    finished = decisions(space)
    assert marked_runs(space.database) == {}
    assert space.runs.get(RUN).policy["name"] == "strict"
    space.launcher.refilter(RUN, STRICT)
    assert decisions(space) == finished
    assert len({str(state) for state in (before, partly, finished)}) == 3


def test_of_two_policies_applied_at_once_the_later_one_stands_for_the_whole_run(space: Workspace, between: Any) -> None:
    space.launcher.refilter(RUN, PRESETS["one-per-pair"])
    wanted = decisions(space)
    space.launcher.refilter(RUN, AGREEMENT)
    between(lambda: space.launcher.refilter(RUN, PRESETS["one-per-pair"]))
    with pytest.raises(RunError, match="somebody else"):
        space.launcher.refilter(RUN, STRICT)
    assert decisions(space) == wanted
    assert space.runs.get(RUN).policy["name"] == "one-per-pair"
    assert marked_runs(space.database) == {}
