"""Whatever pairs, orders, answers and rulings there are: every format's rows are the shown pairs'."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.curation.rulings import Rulings
from backend.curation.sets import freeze
from backend.domain.filtering import Policy
from backend.domain.pairs import MediaKind
from backend.errors import ReviewError
from backend.export.exporter import export_set
from backend.export.formats import FORMATS
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.store.database import Database
from backend.store.schema import metadata

SWAP = {"first": "second", "second": "first", "tie": "tie"}
SPEC = RunSpec(model="m", engine="import", instruction=instructions(None, use_cot=True))


@dataclass(frozen=True)
class Case:
    """One prediction on a pair of its own; ``answer`` and ``ruling`` speak of the shown order."""

    kind: str
    preference: str
    order: str
    answer: str
    ruling: str | None
    caption: str

    @property
    def kept(self) -> bool:
        if self.answer == "tie" or self.ruling == "reject":
            return False
        if self.ruling == "accept":
            return True
        if self.ruling is not None:
            return self.answer == self.ruling
        return self.answer == (SWAP[self.preference] if self.order == "swapped" else self.preference)

    def files(self, number: int) -> tuple[str, str]:
        """Names in dataset order; they say nothing of which is better."""
        ending = "png" if self.kind == "image" else "mp4"
        return f"{number}x.{ending}", f"{number}y.{ending}"

    def expected(self, number: int) -> tuple[str, str]:
        """The medium the judge named, and the other."""
        shown = self.files(number)[:: -1 if self.order == "swapped" else 1]
        return shown if self.answer == "first" else shown[::-1]


def text(case: Case) -> str:
    noun = case.kind.capitalize()
    claim = {
        "first": f"{noun} 1 is better",
        "second": f"{noun} 2 is better",
        "tie": f"Both {case.kind}s are equally good",
    }[case.answer]
    return f"<think>\n{noun} 1 against {noun} 2\n</think>\n<answer>{claim}</answer>"


def build(folder: Path, cases: list[Case]) -> tuple[Database, int]:
    database = Database(folder / "w.db")
    metadata.create_all(database.engine)
    with (folder / "pairs.jsonl").open("w") as file:
        for number, case in enumerate(cases):
            first, second = case.files(number)
            row = {"prompt": f"{number} {case.caption}", "first": first, "second": second}
            file.write(json.dumps({**row, "preference": case.preference}) + "\n")
    spec = f"pairs:{folder / 'pairs.jsonl'}"
    dataset = import_dataset(database, name="d", spec=spec, check_media=False)
    with (folder / "texts.jsonl").open("w") as file:
        for number, case in enumerate(cases):
            row = {"index": number, "order": case.order, "text": text(case)}
            file.write(json.dumps(row) + "\n")
    run_id = import_predictions(database, dataset.id, SPEC, Policy(), folder / "texts.jsonl")
    return database, run_id


def exported(folder: Path, name: str) -> list[tuple[str, list[str]]]:
    """(response, media in shown order) of every row."""
    rows: list[dict[str, Any]] = []
    if name == "parquet":
        for file in folder.glob("*.parquet"):
            rows += pq.read_table(file).to_pylist()
    elif name == "jsonl":
        for file in folder.glob("*.jsonl"):
            rows += [json.loads(line) for line in file.read_text().split("\n") if line]
    else:
        for file in folder.glob("winnow*.json" if name == "sharegpt" else "rejection*.json"):
            rows += json.loads(file.read_text())
    if name in ("parquet", "jsonl"):
        return [(row["response"], [row["first"], row["second"]]) for row in rows]
    return [(row["conversations"][-1]["value"], row.get("images") or row["videos"]) for row in rows]


def samples_of(folder: Path) -> list[tuple[str, str]]:
    """(the medium that was judged better, the other) by a LightRFT export's other file.

    Upstream's convention: of images the better one stands first, and ``preference`` says where it was
    shown; videos stand as they were shown.
    """
    found = []
    for file in folder.glob("filtered_samples*.json"):
        for row in json.loads(file.read_text()):
            paths = Path(row["path1"]).name, Path(row["path2"]).name
            number = {"A": 1, "B": 2}[row["preference"]]
            assert f"{number} is better" in row["predicted_answer"]
            video = "score1_total" in row
            found.append((paths[number - 1], paths[2 - number]) if video else paths)
    return found


def named(response: str, media: list[str], kind: str) -> tuple[str, str]:
    noun = kind.capitalize()
    (number,) = (n for n in (1, 2) if f"<answer>{noun} {n} is better</answer>" in response)
    names = [Path(path).name for path in media]
    return names[number - 1], names[2 - number]


CASES = st.lists(
    st.builds(
        Case,
        kind=st.sampled_from([kind.value for kind in MediaKind]),
        preference=st.sampled_from(["first", "second", "tie"]),
        order=st.sampled_from(["dataset", "swapped"]),
        answer=st.sampled_from(["first", "second", "first", "second", "tie"]),
        ruling=st.sampled_from([None, None, "accept", "reject", "first", "second", "tie"]),
        caption=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(cases=CASES, split=st.sampled_from([0.0, 0.5]))
def test_rows_of_all_formats_are_the_shown_pairs(cases: list[Case], split: float) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        database, run_id = build(folder, cases)
        rulings = Rulings(database)
        for number, case in enumerate(cases, start=1):
            if case.ruling == "accept" and case.answer == "tie":
                with pytest.raises(ReviewError, match="cannot be accepted"):
                    rulings.add(number, "accept", reviewer="ada")
            elif case.ruling in ("accept", "reject"):
                rulings.add(number, case.ruling, reviewer="ada")
            elif case.ruling is not None:
                rulings.add(number, "relabel", relabel=case.ruling, reviewer="ada")
        wanted = sorted(case.expected(n) for n, case in enumerate(cases) if case.kept)
        try:
            frozen = freeze(database, "s", [run_id])
        except ReviewError:
            assert not wanted
            return
        finally:
            database.close()
        # sharegpt-frames decodes the videos, which are but names here; see test_frames.
        for name in FORMATS.keys() - {"sharegpt-frames"}:
            out = folder / name
            export_set(database, frozen, format=name, out=out, split=split)
            found = []
            for response, media in exported(out, name):
                kind = "image" if media[0].endswith("png") else "video"
                found.append(named(response, media, kind))
            assert sorted(found) == wanted, name
        assert sorted(samples_of(folder / "lightrft")) == wanted
        database.close()
