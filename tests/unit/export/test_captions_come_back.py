"""What is exported and added again has the captions, labels and media that it was exported with."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend.curation.sets import freeze
from backend.datasets.base import SourceRow
from backend.datasets.registry import SOURCES
from backend.domain.filtering import Policy
from backend.export.exporter import export_set
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.store.database import Database
from backend.store.schema import metadata
from tests.unit.domain.test_captions import captions

FORMATS = {"lightrft": "rejection_sampling_train*.json", "sharegpt": "winnow*.json"}
TEMPLATES = [
    None,
    "{prompt}",
    "Caption: {prompt}",
    "Choose.\nText Caption: [{prompt}]",
    "The caption is 「{prompt}」.\n\nPrompt: none.\nWhich is better?",
    "{prompt}\n\n{prompt}",
]
Pair = tuple[str, str, str, str]  # kind, answer, order, caption


def again(folder: Path, pairs: list[Pair], template: str | None, use_cot: bool, name: str) -> None:
    """Export accepted pairs, read the export, and compare."""
    database = Database(folder / "w.db")
    metadata.create_all(database.engine)
    rows, texts, wanted = [], [], {}
    for number, (kind, answer, order, caption) in enumerate(pairs):
        first, second = (f"{number}{side}.{'png' if kind == 'image' else 'mp4'}" for side in "xy")
        preference = answer if order == "dataset" else {"first": "second", "second": "first"}[answer]
        rows.append({"prompt": caption, "first": first, "second": second, "preference": preference})
        said = f"{kind.capitalize()} {1 if answer == 'first' else 2} is better"
        texts.append({"index": number, "order": order, "text": f"<think>\nx\n</think>\n<answer>{said}</answer>"})
        shown = (first, second) if order == "dataset" else (second, first)
        wanted[shown] = (caption, answer, kind)
    for file, values in (("pairs.jsonl", rows), ("texts.jsonl", texts)):
        (folder / file).write_text("".join(json.dumps(value) + "\n" for value in values))
    dataset = import_dataset(database, name="d", spec=f"pairs:{folder / 'pairs.jsonl'}", check_media=False)
    spec = RunSpec(model="m", engine="import", use_cot=use_cot, instruction=instructions(template, use_cot=use_cot))
    run = import_predictions(database, dataset.id, spec, Policy(), folder / "texts.jsonl")
    export_set(database, freeze(database, "s", [run]), format=name, out=folder / "out")
    database.close()
    found = {}
    for file in (folder / "out").glob(FORMATS[name]):
        for item in json.loads(file.read_text()) if name == "sharegpt" else ():
            words = item["system"] + "".join(turn["value"] for turn in item["conversations"])
            assert len(re.findall("<(?:image|video|audio)>", words)) == 2, "as many as media"
        for row in SOURCES["imagegen-cot-reward-5k"].rows(file):
            assert isinstance(row, SourceRow), row
            assert row.kind is not None and not row.ignored
            media = (Path(row.first).name, Path(row.second).name)
            found[media] = (row.prompt, row.preference.value, row.kind.value)
    assert found == wanted


PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["image", "video"]),
        st.sampled_from(["first", "second"]),
        st.sampled_from(["dataset", "swapped"]),
        captions.filter(lambda text: (text and text.isprintable()) or "\n" in text).filter(
            lambda text: "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
        ),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(PAIRS, st.sampled_from(TEMPLATES), st.booleans(), st.sampled_from(list(FORMATS)))
@example([("image", "first", "dataset", "[A lighthouse.\n\nCaption: 「two」 <image> seals]")], None, True, "sharegpt")
@example([("video", "second", "swapped", '  "x"\n\n{prompt} <|im_end|>] ')], TEMPLATES[1], False, "lightrft")
def test_an_export_added_again_has_the_captions_it_was_exported_with(
    pairs: list[Pair], template: str | None, use_cot: bool, name: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        again(Path(folder), pairs, template, use_cot, name)


@pytest.mark.parametrize("name", list(FORMATS))
def test_an_export_by_the_default_instruction_needs_no_manifest_beside_it(tmp_path: Path, name: str) -> None:
    caption = "[first paragraph\n\nJudge Image 1 and Image 2\n\n「last」"
    again(tmp_path, [("image", "first", "dataset", caption)], None, True, name)
    (file,) = (tmp_path / "out").glob(FORMATS[name])
    (tmp_path / "alone").mkdir()
    shutil.copy(file, tmp_path / "alone" / "any.json")
    (row,) = SOURCES["imagegen-cot-reward-5k"].rows(tmp_path / "alone" / "any.json")
    assert isinstance(row, SourceRow) and row.prompt == caption
