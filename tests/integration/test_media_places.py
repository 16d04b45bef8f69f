"""Where media may lie: behind links that a person allows, and under names in another Unicode form."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from backend.curation.sets import freeze
from backend.domain.filtering import Policy
from backend.domain.pairs import Order
from backend.errors import DatasetError, MediaError
from backend.export.exporter import export_set
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.inference.work import PairWork, decode_media
from backend.ingest.importer import import_dataset
from backend.media.paths import MediaRoot, resolve_media
from backend.store.database import Database
from backend.store.datasets import DatasetRow, Datasets
from backend.store.locating import locate
from backend.store.upgrade import upgrade
from tests.integration.conftest import Winnow


@pytest.fixture
def db(tmp_path: Path):
    database = Database(tmp_path / "winnow.db")
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A downloaded repository of the hub: links into a folder of blobs that are called by hashes."""
    blobs, images = tmp_path / "repo" / "blobs", tmp_path / "repo" / "snapshots" / "abc" / "images"
    blobs.mkdir(parents=True)
    images.mkdir(parents=True)
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (32, 32), colour).save(blobs / f"{name * 8}", "PNG")
        (images / f"{name}.png").symlink_to(f"../../../blobs/{name * 8}")
    row = {"prompt": "p", "first": "images/a.png", "second": "images/b.png", "preference": "first"}
    (images.parent / "d.jsonl").write_text(json.dumps(row))
    return images.parent


def add(db: Database, snapshot: Path, **options: object) -> DatasetRow:
    return import_dataset(db, name="d", spec=f"pairs:{snapshot / 'd.jsonl'}", **options)  # type: ignore[arg-type]


def test_media_behind_links_are_refused_with_the_option_that_allows_them(db: Database, snapshot: Path) -> None:
    row = add(db, snapshot)
    assert (row.judgeable, row.counts["unreadable"]) == (0, 1)
    (issue,) = Datasets(db).issues(row.id, "unreadable")
    blobs = snapshot.parent.parent / "blobs"
    assert f"allow_links_to {blobs}" in issue["message"]
    again = add(db, snapshot, links_to=[blobs])
    assert (again.id, again.judgeable, again.links_to) == (row.id, 1, (str(blobs),))
    assert add(db, snapshot).judgeable == 1, "what was allowed stays"
    assert add(db, snapshot, links_to=[snapshot]).judgeable == 0, "or is replaced"
    with pytest.raises(DatasetError, match="no such folder"):
        add(db, snapshot, links_to=[snapshot / "none"])


def test_every_opening_of_a_medium_honours_the_links_that_were_allowed(
    db: Database, snapshot: Path, tmp_path: Path
) -> None:
    row = add(db, snapshot, links_to=[snapshot.parent.parent / "blobs"])
    ((pair_id, pair),) = Datasets(db).iter_pairs(row.id)
    spec = RunSpec(model="m", engine="import", instruction=instructions(None, use_cot=True))
    decoded = decode_media(PairWork(pair_id, pair, ((Order.DATASET, 0),)), row.media, spec, 28)
    assert decoded.error is None and decoded.media is not None
    located = locate(db, pair_id)
    assert located.root.resolve(located.first).name == "aaaaaaaa"
    text = "<think>\nx\n</think>\n<answer>Image 1 is better</answer>"
    (tmp_path / "t.jsonl").write_text(json.dumps({"index": 0, "order": "dataset", "text": text}))
    run = import_predictions(db, row.id, spec, Policy(), tmp_path / "t.jsonl")
    frozen = freeze(db, "s", [run])
    export_set(db, frozen, format="lightrft", out=tmp_path / "plain")
    (exported,) = json.loads((tmp_path / "plain" / "rejection_sampling_train.json").read_text())
    assert exported["images"] == [str(snapshot / "images" / f"{name}.png") for name in "ab"]
    export_set(db, frozen, format="lightrft", out=tmp_path / "bundle", bundle=True)
    copies = sorted(path.suffix for path in (tmp_path / "bundle" / "media").iterdir())
    assert copies == [".png", ".png"], "not the names of blobs, which tell no format"


def test_nothing_else_becomes_reachable_and_links_are_judged_by_where_they_lead_now(
    snapshot: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "repo" / "blobs-not").mkdir()
    (tmp_path / "repo" / "blobs-not" / "x.png").write_bytes(b"x")
    root = MediaRoot(str(snapshot), [str(tmp_path / "repo" / "blobs")])
    assert root.resolve("images/a.png").name == "aaaaaaaa"
    assert root.join("images/a.png") == str(snapshot / "images" / "a.png")
    for path in (
        "../../../secret.png",
        str(tmp_path / "secret.png"),
        "../../blobs/../../secret.png",
        "../../blobs-not/x.png",
    ):
        for opening in (root.resolve, root.join):
            with pytest.raises(MediaError, match="leaves the data root"):
                opening(path)
    link = snapshot / "images" / "a.png"
    link.unlink()
    link.symlink_to(tmp_path / "secret.png")
    for opening in (root.resolve, root.join):
        with pytest.raises(MediaError, match="symbolic link"):
            opening("images/a.png")
    # An allowed folder that is itself replaced by a link stands for what it leads to now.
    (tmp_path / "other").symlink_to(tmp_path / "repo" / "blobs")
    assert resolve_media(snapshot, "images/b.png", [str(tmp_path / "other")]).name == "bbbbbbbb"


def test_the_command_allows_links_and_says_no_next_step_where_nothing_can_be_judged(
    winnow: Winnow, snapshot: Path, tmp_path: Path
) -> None:
    words = ["dataset", "add", f"pairs:{snapshot / 'd.jsonl'}", "--name", "d"]
    refused = winnow(*words)
    assert "next:" not in refused.out and "no pair can be judged" in refused.out
    assert "allow_links_to" in winnow("dataset", "show", "d").out
    (listed,) = winnow("dataset", "list", "--json").json
    assert listed["pairs"] == 0 and listed["rows"] == 1
    allowed = winnow(*words, "--allow-links-to", tmp_path, "--allow-links-to", snapshot.parent)
    assert "next: winnow run start" in allowed.out
    (listed,) = winnow("dataset", "list", "--json").json
    assert listed["pairs"] == 1
    assert listed["links_to"] == sorted([str(tmp_path), str(snapshot.parent)])


@pytest.mark.parametrize("named", ["NFC", "NFD"])
def test_a_name_that_differs_only_in_unicode_form_is_found_and_said(db: Database, tmp_path: Path, named: str) -> None:
    stored = {"NFC": "NFD", "NFD": "NFC"}[named]
    folder = tmp_path / "data"
    (folder / unicodedata.normalize(stored, "Büro")).mkdir(parents=True)
    on_disk = [unicodedata.normalize(stored, f"Büro/{name}.png") for name in ("Café", "Thé")]
    for name in on_disk:
        Image.new("RGB", (16, 16), "red").save(folder / name)
    first, second = (unicodedata.normalize(named, name) for name in on_disk)
    rows = [
        {"prompt": "p", "first": first, "second": second, "preference": "first"},
        {"prompt": "p", "first": first, "second": "Büro/fehlt.png", "preference": "first"},
    ]
    (folder / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    row = add(db, folder)
    assert (row.judgeable, row.counts["missing"]) == (1, 1)
    notes = Datasets(db).issues(row.id, "note")
    assert sorted((note["row"], note["message"]) for note in notes) == sorted(
        (number, f"{path}: the file's name differs only in Unicode form")
        for number, path in [(0, first), (0, second), (1, first)]
    )
    root = row.media
    assert root.resolve(first) == (folder / on_disk[0]).resolve()
    assert root.join(first) == os.path.join(folder, on_disk[0]), "as trainers must open it"


def test_two_files_that_differ_only_in_unicode_form_are_told_apart_or_not_guessed(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "é.png")).write_text(form)
    for form in ("NFC", "NFD"):
        path = unicodedata.normalize(form, "é.png")
        assert resolve_media(tmp_path, path).read_text() == form


def test_keys_that_are_left_out_are_named_once_in_the_report(db: Database, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"p{n}", "path1": f"{n}a.png", "path2": f"{n}b.png", "seed": n, "tie_case": n == 1} for n in range(3)
    ]
    rows[2]["cfg"] = 7
    (tmp_path / "d.json").write_text(json.dumps(rows))
    row = import_dataset(db, name="d", spec=f"hpdv3:{tmp_path / 'd.json'}", check_media=False)
    assert (row.counts["pairs"], row.counts["ties"], row.counts["broken"]) == (3, 1, 0)
    notes = Datasets(db).issues(row.id, "note")
    assert [(note["row"], note["message"]) for note in notes] == [
        (0, "not read, here and in what follows: 'seed'"),
        (2, "not read, here and in what follows: 'cfg'"),
    ]
