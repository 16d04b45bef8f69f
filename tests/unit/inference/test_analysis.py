"""The sums of a run agree with counting its predictions one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.domain.filtering import PRESETS, Policy
from backend.domain.reading import Flaw, flaws_of
from backend.errors import UsageError
from backend.inference.analysis import Analysis, Share, analyse
from backend.inference.compare import compare
from backend.inference.progress import run_counts
from backend.inference.whatif import what_if
from backend.store import analysis as rows_module
from backend.store import comparisons
from backend.store.analysis import AnalysisRows
from backend.store.comparisons import OUTCOMES, Comparisons, outcome_of
from backend.store.overview import Overview, Totals
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, either_url_of_module: str | None) -> Iterator[Workspace]:
    built = build_workspace(tmp_path_factory.mktemp("analysis") / "ws", videos=1, url=either_url_of_module)
    yield built
    built.close()


def predictions(space: Workspace, run_id: int) -> list[dict[str, Any]]:
    return list(space.predictions.iter_rows(run_id))


def analysis(space: Workspace, run_id: int) -> Analysis:
    return analyse(space.database, space.folder, space.runs.get(run_id), keep=False)


@pytest.mark.parametrize("run_id", [1, 2])
def test_accuracy_and_confusion_are_what_the_predictions_say(space: Workspace, run_id: int) -> None:
    rows = predictions(space, run_id)
    found = analysis(space, run_id)
    assert found.predictions == len(rows)
    assert found.confusion == Counter((row["preference"], row["answer"]) for row in rows)
    readable = [row for row in rows if row["answer"]]
    right = sum(row["answer"] == row["preference"] for row in readable)
    assert found.accuracy == Share(right, len(readable))
    assert found.unreadable == Share(len(rows) - len(readable), len(rows))
    low, high = found.accuracy.interval
    assert low < right / len(readable) < high


def test_a_judge_that_changes_its_mind_with_the_order_is_counted_pair_by_pair(space: Workspace) -> None:
    found = analysis(space, 2)
    said = {(row["index"], row["sample"], row["order"]): row["answer"] for row in predictions(space, 2)}
    swapped = {"first": "second", "second": "first"}
    samples = [(index, sample) for index, sample, order in said if order == "dataset"]
    flips = sum(said[(*one, "dataset")] != swapped[said[(*one, "swapped")]] for one in samples)
    assert found.flips == Share(flips, len(samples))
    assert found.flips_to_first.n == flips
    assert analysis(space, 1).flips == Share(0, 0)


def test_position_bias_is_measured_beside_what_humans_prefer(space: Workspace) -> None:
    found = analysis(space, 1)
    answers = Counter(row["answer"] for row in predictions(space, 1))
    assert found.first_shown_wins == Share(answers["first"], answers["first"] + answers["second"])
    # HPDv3's file names the better one first, and run 1 showed it in that order.
    assert found.first_shown_better.value == 1.0


def test_flaws_margins_captions_and_dimensions_cover_every_prediction(space: Workspace) -> None:
    rows = predictions(space, 1)
    found = analysis(space, 1)
    expected = Counter(flaw for row in rows for flaw in flaws_of(row["flaws"]))
    assert {flaw: count for flaw, count, _ in found.flaws()} == dict(expected)
    assert Flaw.NO_ANSWER in expected
    margins = found.margins()
    readable = [row for row in rows if row["answer"]]
    assert sum(margins[True].values()) + sum(margins[False].values()) == len(readable)
    assert sum(share.n for _, share in found.by_caption_length()) == len(readable)
    names = {name for name, _, _ in found.by_dimension()}
    assert names == {name for row in rows for name, _, _ in row["scores"]["dimensions"]}
    for name, share, equal in found.by_dimension():
        scores = [
            (one > two) - (one < two) if row["preference"] == "first" else (two > one) - (two < one)
            for row in rows
            for dimension, one, two in row["scores"]["dimensions"]
            if dimension == name
        ]
        assert (share.count, share.n, equal) == (scores.count(1), len(scores) - scores.count(0), scores.count(0))


def test_what_was_added_up_is_kept_until_the_run_or_its_policy_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = build_workspace(tmp_path / "ws", images=9, videos=1)
    run = space.runs.get(1)
    first = analyse(space.database, space.folder, run)
    with monkeypatch.context() as patch:
        patch.setattr(AnalysisRows, "groups", lambda *_: pytest.fail("was added up again"))
        assert analyse(space.database, space.folder, run) == first
    space.launcher.refilter(1, PRESETS["clean"])
    after = analyse(space.database, space.folder, space.runs.get(1))
    assert after != first
    assert {group.reason for group in after.groups} != {group.reason for group in first.groups}
    (kept,) = (space.folder / "cache" / "analysis").glob("run-1-*.json")
    kept.write_text('{"groups": 7')
    assert analyse(space.database, space.folder, space.runs.get(1)) == after


def test_more_margins_than_any_judge_gives_are_rounded(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MOST_GROUPS", 3)
    found = analyse(space.database, space.folder, space.runs.get(1), keep=False)
    assert not found.exact


@pytest.mark.parametrize(
    "policy",
    [*PRESETS.values(), Policy(require_agreement=False), Policy(min_margin=2.5)],
    ids=lambda policy: policy.name,
)
@pytest.mark.parametrize("run_id", [1, 2])
def test_what_if_foretells_exactly_what_applying_the_policy_does(tmp_path: Path, policy: Policy, run_id: int) -> None:
    space = build_workspace(tmp_path / "ws", images=12, videos=1)
    before = {row["id"] for row in predictions(space, run_id) if row["decision"] == "accepted"}
    foretold = what_if(space.database, run_id, policy, analysis(space, run_id))
    assert {row["id"] for row in predictions(space, run_id) if row["decision"] == "accepted"} == before
    space.launcher.refilter(run_id, policy)
    rows = predictions(space, run_id)
    after = {row["id"] for row in rows if row["decision"] == "accepted"}
    assert (foretold.before, foretold.after) == (len(before), len(after))
    assert (foretold.gained, foretold.lost) == (len(after - before), len(before - after))
    assert foretold.reasons == Counter(row["reason"] for row in rows if row["id"] not in after)
    assert foretold.first == sum(row["answer"] == "first" for row in rows if row["id"] in after)


def test_policies_that_compare_predictions_of_a_pair_are_known() -> None:
    assert {name for name, policy in PRESETS.items() if policy.plan.looks_at_pairs} == {
        "order-consistent",
        "consensus",
        "one-per-pair",
    }


@pytest.mark.parametrize("policy", ["agreement", "confident", "clean"])
def test_accuracy_on_the_card_is_that_of_the_analysis(tmp_path: Path, policy: str) -> None:
    space = build_workspace(tmp_path / "ws", images=16, videos=1)
    space.launcher.refilter(1, PRESETS[policy])
    card = run_counts(space.runs.counts(1), space.runs.get(1).policy)
    assert card.accuracy == analysis(space, 1).accuracy
    assert card.unreadable == analysis(space, 1).unreadable.count


def test_accuracy_is_not_guessed_from_a_policy_that_accepts_what_disagrees(space: Workspace) -> None:
    loose = Policy(require_agreement=False).to_mapping()
    assert run_counts(space.runs.counts(1), loose).accuracy is None


# -- two runs ---------------------------------------------------------------------------------


def majority(space: Workspace, run_id: int) -> dict[int, str]:
    swapped = {"first": "second", "second": "first"}
    votes: dict[int, Counter[str]] = {}
    for row in predictions(space, run_id):
        counted = votes.setdefault(row["index"], Counter())
        if row["answer"]:
            side = row["answer"] if row["order"] == "dataset" else swapped[row["answer"]]
            counted[side] += 1
    said = {}
    for index, counted in votes.items():
        (top, most), *others = [*counted.most_common(2), ("none", 0)]
        said[index] = top if most and all(n < most for _, n in others) else "none"
    return said


def test_two_runs_are_compared_pair_by_pair_in_dataset_order(space: Workspace) -> None:
    found = compare(space.database, space.runs.get(1), space.runs.get(2))
    a, b = majority(space, 1), majority(space, 2)
    # Every pair of this dataset is recorded as "first".
    expected = Counter(outcome_of(a[index], b[index], "first") for index in a)
    assert found.outcomes == {outcome: expected[outcome] for outcome in OUTCOMES}
    assert found.common == len(a)
    assert found.accuracy_a.count == sum(said == "first" for said in a.values())
    assert found.accuracy_b.count == sum(said == "first" for said in b.values())
    assert 0 < found.p_value <= 1
    assert found.flips == Counter((a[i], b[i]) for i in a if a[i] != b[i])


def test_the_flipped_pairs_come_in_pages_and_none_is_missed(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "_WINDOW", 5)
    a, b = majority(space, 1), majority(space, 2)
    rows = Comparisons(space.database)
    for outcome in OUTCOMES:
        found: list[int] = []
        last = 0
        while page := rows.pairs_said(1, 2, outcome, after=last, limit=2):
            found += [pair.idx for pair in page]
            last = page[-1].pair_id
        assert found == [i for i in sorted(a) if outcome_of(a[i], b[i], "first") == outcome]
        chosen = list(rows.predictions_said(1, 2, outcome, of_run=2))
        assert len(chosen) == len(set(chosen)) == len(found)


def test_runs_of_different_datasets_are_not_compared(space: Workspace) -> None:
    with pytest.raises(UsageError):
        compare(space.database, space.runs.get(1), space.runs.get(3))
    with pytest.raises(UsageError):
        compare(space.database, space.runs.get(1), space.runs.get(1))


def test_the_overview_counts_how_far_everything_has_come(tmp_path: Path) -> None:
    space = build_workspace(tmp_path / "ws", images=8, videos=1)
    overview = Overview(space.database)

    def counted() -> Totals:
        newest, trained = overview.set_groups()
        counts = [space.runs.counts(run.id) for run in space.runs.list()]
        return overview.loop(
            predictions=sum(one["done"] for one in counts),
            accepted=sum(one["effective_accepted"] for one in counts),
            in_sets=overview.rows_in(newest),
            trained=overview.rows_in(trained),
        )

    loop = counted()
    assert loop.pairs == 9
    assert loop.predictions == 8 + 32 + 1
    assert loop.reviewed == 0
    row = next(row for row in predictions(space, 1) if row["effective"] == "accepted")
    space.rulings.add(row["id"], "reject", reviewer="Ada")
    after = counted()
    assert (after.reviewed, after.accepted) == (1, loop.accepted - 1)
    assert overview.waiting().unjudged == ()
