"""What a run shows a judge, from the pixels that the engine is given to the rows that leave the house."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from backend.curation.preview import preview
from backend.curation.sets import freeze
from backend.datasets.registry import SOURCES
from backend.domain.filtering import PRESETS, Policy
from backend.domain.pairs import MediaKind, Order, OrderPolicy, Preference
from backend.domain.prompts import answer_text
from backend.engines.base import Completion, EngineOptions, Outcome, Request
from backend.export.exporter import export_set
from backend.export.formats import FORMATS
from backend.inference.analysis import analyse
from backend.inference.launch import RunRequest, default_order
from backend.inference.pipeline import Pipeline
from backend.inference.spec import RunSpec
from backend.store.runs import RunRow
from backend.training.data import DataFile, parse_row
from backend.workspace import Workspace
from tests.unit.export.test_formats_agree import exported
from tests.workspaces import build_workspace

PAIRS = 12


class Looks:
    """A judge that really looks: the green picture is better. Its files must be those of its pixels."""

    def generate(self, requests: Iterator[Request]) -> Iterator[Outcome]:
        for request in requests:
            green = {side: self._is_green(np.asarray(one)) for side, one in request.media.items()}
            assert {side: "-win" in path for side, path in request.paths.items()} == green
            (better,) = (Preference(side) for side, wins in green.items() if wins)
            said = f"<answer>{answer_text(request.kind, better)}</answer>"
            yield Completion(id=request.id, text=f"<think>why</think>{said}", finish_reason="stop")

    def close(self) -> None: ...

    @staticmethod
    def _is_green(pixels: np.ndarray) -> bool:
        red, green, _ = pixels.reshape(-1, 3).mean(axis=0)
        return bool(green > red)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, either_url_of_module: str | None) -> Iterator[Workspace]:
    """With ``either``: the pairs of ``pictures``, every third of which names the loser first."""
    built = build_workspace(tmp_path_factory.mktemp("orders") / "ws", images=PAIRS, videos=2, url=either_url_of_module)
    file = built.folder / "media" / "t2i" / "either.jsonl"
    with file.open("w") as lines:
        for number in range(PAIRS):
            names = [f"{number:03d}-win.jpg", f"{number:03d}-lose.jpg"]
            first, second = names if number % 3 else names[1:] + names[:1]
            row = {"prompt": f"p {number}", "first": first, "second": second}
            row["preference"] = "first" if number % 3 else "second"
            lines.write(json.dumps(row) + "\n")
    built.add_dataset(name="either", spec=f"pairs:{file}")
    yield built
    built.close()


def judged(space: Workspace, order: OrderPolicy | None, policy: Policy | None = None) -> RunRow:
    request = RunRequest(
        dataset="either",
        model="looks",
        engine="scripted",
        order=order,
        policy=policy or Policy(),
        options=EngineOptions(scripted_file=str(space.folder / "predictions-a.jsonl")),
    )
    run_id, _ = space.launcher.start(request)
    run = space.runs.get(run_id)
    Pipeline(
        space.database,
        run_id=run_id,
        dataset_id=run.dataset_id,
        data_root=Path(space.datasets.by_id(run.dataset_id).data_root),
        spec=RunSpec.model_validate(run.spec),
        policy=policy or Policy(),
        total=run.total,
        stop=Event(),
    ).run(Looks())
    return space.runs.get(run_id)


@pytest.mark.slow
@pytest.mark.parametrize("order", list(OrderPolicy))
def test_a_judge_that_looks_is_right_in_every_order_and_so_is_every_row(
    space: Workspace, order: OrderPolicy, tmp_path: Path
) -> None:
    run = judged(space, order)
    rows = list(space.predictions.iter_rows(run.id))
    assert Counter(row["answer"] == row["preference"] for row in rows) == {True: len(rows)}
    assert len({row["answer"] for row in rows}) == 2
    wanted = {"dataset": {"dataset"}, "shuffled": set(Order), "both": set(Order)}[order]
    assert {row["order"] for row in rows} == wanted
    frozen = freeze(space.database, f"looked-{order}", [run.id])
    assert frozen.counts["items"] == len(rows)
    for name in FORMATS:
        out = tmp_path / name
        export_set(space.database, frozen, format=name, out=out)
        for response, media in exported(out, name):
            number = 1 if "Image 1 is better" in response else 2
            assert "-win" in media[number - 1], name
            assert "-lose" in media[2 - number], name
    (file,) = (tmp_path / "lightrft").glob("rejection*.json")
    for value in json.loads(file.read_text()):
        row = parse_row(value, DataFile(file, MediaKind.IMAGE, len(rows), validation=False))
        assert "-win" in row.media["Image 2 is better" in row.response]
    (samples,) = (tmp_path / "lightrft").glob("filtered_samples*.json")
    for sample in json.loads(samples.read_text()):
        # Upstream's layout for images: the preferred one first, and A where it was shown first.
        assert "-win" in sample["path1"] and "-lose" in sample["path2"]
        assert sample["preference"] == ("A" if "Image 1" in sample["predicted_answer"] else "B")


def test_a_judge_that_looks_flips_nowhere_and_one_that_says_first_everywhere(space: Workspace) -> None:
    run = judged(space, OrderPolicy.BOTH, PRESETS["order-consistent"])
    found = analyse(space.database, space.folder, run, keep=False)
    assert (found.flips.count, found.flips.n) == (0, PAIRS)
    assert space.runs.counts(run.id)["accepted"] == 2 * PAIRS
    assert preview(space.database, [run.id]).answers == {"first": PAIRS, "second": PAIRS}


@pytest.mark.parametrize(
    ("source", "order"),
    [
        ("hpdv3", OrderPolicy.SHUFFLED),
        ("imagegen-cot-reward-5k", OrderPolicy.SHUFFLED),
        ("pairs", OrderPolicy.SHUFFLED),
        ("rapidata-t2v", OrderPolicy.DATASET),
        ("rapidata-i2v", OrderPolicy.DATASET),
        ("mixed", OrderPolicy.SHUFFLED),
        ("gone", OrderPolicy.SHUFFLED),
    ],
)
def test_a_source_that_can_put_the_winner_first_is_shuffled(source: str, order: OrderPolicy) -> None:
    assert default_order(source) is order


def test_every_source_is_shuffled_but_those_whose_format_draws_the_position() -> None:
    straight = {name for name in SOURCES if default_order(name) is OrderPolicy.DATASET}
    assert straight == {"rapidata-t2v", "rapidata-i2v"}


def test_a_run_that_names_no_order_shows_the_winner_on_both_sides(space: Workspace) -> None:
    run = judged(space, None)
    assert run.spec["order"] == "shuffled"
    shown = Counter(row["preference"] for row in space.predictions.iter_rows(run.id))
    assert shown.keys() == {"first", "second"}
