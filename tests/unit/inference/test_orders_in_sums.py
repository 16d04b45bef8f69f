"""What the database sums up over both orders is what counting in dataset order gives."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.filtering import Policy
from backend.inference.analysis import Share, analyse
from backend.inference.compare import compare
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.store.analysis import AnalysisRows
from backend.store.comparisons import OUTCOMES, Said
from backend.store.database import Database
from backend.store.runs import Runs
from backend.store.schema import metadata

OTHER = {"first": "second", "second": "first", "tie": "tie"}
TEXTS = {
    "first": "<answer>Image 1 is better</answer>",
    "second": "<answer>Image 2 is better</answer>",
    "tie": "<answer>Both images are equally good</answer>",
    None: "<think>no",
}
SPEC = RunSpec(model="m", engine="import", instruction=instructions(None, use_cot=True))

Key = tuple[int, str, int]
"""Pair, order, sample."""
Judgments = dict[Key, str | None]
"""Answers relative to the shown order."""

PLACES = st.tuples(st.integers(0, 3), st.sampled_from(["dataset", "swapped"]), st.integers(0, 2))
RUN = st.dictionaries(PLACES, st.sampled_from(list(TEXTS)), min_size=1, max_size=20)
SIDES = st.lists(st.sampled_from(["first", "second", "tie"]), min_size=4, max_size=4)


def build(folder: Path, recorded: list[str], runs: list[Judgments]) -> Database:
    database = Database(folder / "w.db")
    metadata.create_all(database.engine)
    file = folder / "pairs.jsonl"
    rows = [
        {"prompt": f"p {n}", "first": f"{n}a.png", "second": f"{n}b.png", "preference": side}
        for n, side in enumerate(recorded)
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    dataset = import_dataset(database, name="d", spec=f"pairs:{file}", check_media=False)
    for number, judgments in enumerate(runs):
        texts = folder / f"{number}.jsonl"
        lines = [
            {"index": pair, "order": order, "sample": sample, "text": TEXTS[said]}
            for (pair, order, sample), said in judgments.items()
        ]
        texts.write_text("\n".join(map(json.dumps, lines)))
        spec = SPEC.model_copy(update={"model": f"m{number}"})
        import_predictions(database, dataset.id, spec, Policy(), texts)
    return database


def majority(judgments: Judgments) -> dict[int, str]:
    """What a run says of each pair, in dataset order; ``none`` where it is of two minds."""
    votes: dict[int, Counter[str]] = {}
    for (pair, order, _), said in judgments.items():
        counted = votes.setdefault(pair, Counter())
        if said is not None:
            counted[said if order == "dataset" else OTHER[said]] += 1
    winners = {}
    for pair, counted in votes.items():
        best = [side for side, n in counted.items() if n == max(counted.values())]
        winners[pair] = best[0] if len(best) == 1 else "none"
    return winners


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(SIDES, RUN, RUN)
def test_two_runs_say_of_each_pair_what_most_of_their_answers_say_in_dataset_order(
    recorded: list[str], one: Judgments, two: Judgments
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        database = build(Path(temporary), recorded, [one, two])
        runs = Runs(database)
        found = compare(database, runs.get(1), runs.get(2))
        database.close()
    a, b = majority(one), majority(two)
    both = [(a[pair], b[pair], recorded[pair]) for pair in a.keys() & b.keys()]
    assert Counter({said[:3]: said.n for said in found.said}) == Counter(both)
    assert all(isinstance(said, Said) for said in found.said)
    right = Counter((x == side, y == side) for x, y, side in both if side != "tie")
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    assert found.outcomes == {name: right[kind] for name, kind in zip(OUTCOMES, kinds, strict=True)}


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(SIDES, RUN)
def test_flips_and_position_are_what_counting_each_pair_and_sample_gives(
    recorded: list[str], judgments: Judgments
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        database = build(folder, recorded, [judgments])
        found = analyse(database, folder, Runs(database).get(1), keep=False)
        table = AnalysisRows(database).both_orders(1)
        database.close()
    together = [
        (judgments[pair, "dataset", sample], judgments[pair, "swapped", sample])
        for pair, order, sample in judgments
        if order == "dataset" and (pair, "swapped", sample) in judgments
    ]
    readable = [(d, s) for d, s in together if d and s]
    assert found.flips == Share(sum(d != OTHER[s] for d, s in readable), len(readable))
    sides = [d for d, s in readable if d == s != "tie"]
    assert found.flips_to_first == Share(sides.count("first"), len(sides))
    assert Counter({(d, s): n for d, s, n in table}) == Counter(together)
