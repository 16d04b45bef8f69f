"""Exporting a frozen set: split, folder, manifest, and upstream's files beside LightRFT's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.curation.sets import freeze
from backend.errors import ExportError, UsageError, WinnowError
from backend.export import exporter
from backend.export.claim import MANIFEST
from backend.export.convert import convert_t2i
from backend.export.exporter import export_set, is_our_export
from backend.store.sets import SetRow
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path_factory.mktemp("export") / "ws", images=24, videos=4)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def frozen(space: Workspace) -> SetRow:
    """Images judged in both orders with two samples, and videos."""
    return freeze(space.database, "s", [2, 3])


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().split("\n") if line]


def test_all_predictions_of_a_pair_fall_on_one_side_of_the_split(
    space: Workspace, frozen: SetRow, tmp_path: Path
) -> None:
    export_set(space.database, frozen, format="jsonl", out=tmp_path / "o", split=0.4)
    train = lines(tmp_path / "o" / "winnow.jsonl")
    held_out = lines(tmp_path / "o" / "winnow_val.jsonl")
    assert len(train) + len(held_out) == frozen.counts["items"]
    keys = [{row["key"] for row in part} for part in (train, held_out)]
    assert keys[0] and keys[1] and not keys[0] & keys[1]
    # Several predictions of one pair are there, or this would show nothing.
    assert len(held_out) > len(keys[1])
    export_set(space.database, frozen, format="jsonl", out=tmp_path / "again", split=0.4)
    assert lines(tmp_path / "again" / "winnow_val.jsonl") == held_out


def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_is(
    space: Workspace, frozen: SetRow, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ExportError, match="not empty") as caught:
        export_set(space.database, frozen, format="jsonl", out=tmp_path)
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("bundle", [False, True])
def test_an_export_that_breaks_off_leaves_the_earlier_one_as_it_was(
    space: Workspace, frozen: SetRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: bool
) -> None:
    out = tmp_path / "o"
    export_set(space.database, frozen, format="lightrft", out=out, bundle=bundle)
    before = contents(out)

    def crash(_key: str, _split: float) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(exporter, "_held_out", crash)
        with pytest.raises(KeyboardInterrupt):
            export_set(space.database, frozen, format="jsonl", out=out, bundle=True)
    assert is_our_export(out)
    assert contents(out) == before
    manifest = export_set(space.database, frozen, format="jsonl", out=out)
    assert {path.name for path in out.iterdir()} == {MANIFEST, "winnow.jsonl"}
    assert manifest.rows == frozen.counts["items"]


@pytest.mark.parametrize("over_an_earlier_one", [False, True])
def test_a_bundle_that_could_not_be_finished_does_not_stand_in_the_way_of_the_next(
    space: Workspace, frozen: SetRow, tmp_path: Path, over_an_earlier_one: bool
) -> None:
    out = tmp_path / "o"
    if over_an_earlier_one:
        export_set(space.database, frozen, format="jsonl", out=out, bundle=True)
    export_set(space.database, frozen, format="jsonl", out=tmp_path / "paths")
    gone = Path(lines(tmp_path / "paths" / "winnow.jsonl")[-1]["second"])
    away = gone.rename(gone.with_suffix(".away"))
    try:
        with pytest.raises(WinnowError) as caught:
            export_set(space.database, frozen, format="jsonl", out=out, bundle=True)
    finally:
        away.rename(gone)
    assert caught.value.hint
    assert is_our_export(out) == over_an_earlier_one
    assert (out / "media").exists() == over_an_earlier_one
    export_set(space.database, frozen, format="jsonl", out=out, bundle=True)
    named = {row[side] for row in lines(out / "winnow.jsonl") for side in ("first", "second")}
    assert {path.relative_to(out).as_posix() for path in (out / "media").iterdir()} == named
    assert {path.name for path in out.iterdir()} == {"media", "winnow.jsonl", MANIFEST}


def test_an_export_says_which_media_of_its_set_are_missing_now(
    space: Workspace, frozen: SetRow, tmp_path: Path
) -> None:
    whole = export_set(space.database, frozen, format="jsonl", out=tmp_path / "whole")
    assert whole.missing_media is None
    rows = lines(tmp_path / "whole" / "winnow.jsonl")
    gone = sorted({rows[0]["first"], rows[-1]["second"]})
    for path in gone:
        Path(path).rename(f"{path}.away")
    try:
        lacking = export_set(space.database, frozen, format="jsonl", out=tmp_path / "o")
    finally:
        for path in gone:
            Path(f"{path}.away").rename(path)
    said = f"2 media of the set are missing now, such as {rows[0]['first']}"
    assert lacking.missing_media == said
    assert json.loads((tmp_path / "o" / MANIFEST).read_text())["missing_media"] == said
    assert lacking.rows == len(rows)


def test_the_manifest_tells_every_files_hash_and_where_the_set_comes_from(
    space: Workspace, frozen: SetRow, tmp_path: Path
) -> None:
    export_set(space.database, frozen, format="lightrft", out=tmp_path / "o")
    manifest = json.loads((tmp_path / "o" / MANIFEST).read_text())
    names = {file["name"] for file in manifest["files"]}
    assert names == {path.name for path in (tmp_path / "o").iterdir()} - {MANIFEST}
    for file in manifest["files"]:
        data = (tmp_path / "o" / file["name"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(data).hexdigest()
    assert manifest["set"]["content_hash"] == frozen.content_hash
    assert [run["id"] for run in manifest["lineage"]["runs"]] == [2, 3]


def test_upstreams_samples_name_the_preferred_image_first_and_say_where_it_was_shown(
    space: Workspace, frozen: SetRow, tmp_path: Path
) -> None:
    export_set(space.database, frozen, format="lightrft", out=tmp_path / "o")
    samples = json.loads((tmp_path / "o" / "filtered_samples_t2i.json").read_text())
    training = json.loads((tmp_path / "o" / "rejection_sampling_train_t2i.json").read_text())
    assert {sample["preference"] for sample in samples} == {"A", "B"}
    for sample, row in zip(samples, training, strict=True):
        assert sample["path1"].endswith("-win.jpg") and sample["path2"].endswith("-lose.jpg")
        shown_first = row["images"][0]
        assert (sample["preference"] == "A") is (shown_first == sample["path1"])
    videos = json.loads((tmp_path / "o" / "filtered_samples_t2v.json").read_text())
    rows = json.loads((tmp_path / "o" / "rejection_sampling_train_t2v.json").read_text())
    for sample, row in zip(videos, rows, strict=True):
        assert [sample["path1"], sample["path2"]] == row["images"]


def test_an_unknown_format_is_wrong_usage(space: Workspace, frozen: SetRow, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        export_set(space.database, frozen, format="yaml", out=tmp_path / "o")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("format", ["lightrft", "sharegpt"])
def test_an_export_is_not_repaired_wherever_its_files_are_taken(space: Workspace, tmp_path: Path, format: str) -> None:
    frozen = freeze(space.database, "pictures", [2])
    export_set(space.database, frozen, format=format, out=tmp_path / "o")
    name = "rejection_sampling_train.json" if format == "lightrft" else "winnow.json"
    moved = tmp_path / "moved.json"
    moved.write_bytes((tmp_path / "o" / name).read_bytes())
    for source in (moved, tmp_path / "o" / name):
        with pytest.raises(ExportError, match="needs no repair"):
            convert_t2i(source, tmp_path / "fixed.json")
    assert not (tmp_path / "fixed.json").exists()


def test_held_out_rows_stand_in_files_of_their_own_in_upstreams_samples_too(
    space: Workspace, frozen: SetRow, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    manifest = export_set(space.database, frozen, format="lightrft", out=out, split=0.4)
    counts = {path.name: len(json.loads(path.read_text())) for path in out.glob("*_t2i*.json")}
    assert counts["filtered_samples_t2i.json"] == counts["rejection_sampling_train_t2i.json"]
    held_out = counts["filtered_samples_t2i_val.json"]
    assert held_out == counts["rejection_sampling_train_t2i_val.json"] > 0
    assert 0 < held_out <= manifest.validation_rows < manifest.rows
