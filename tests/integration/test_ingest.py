import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sqlalchemy import select

from backend.domain.pairs import MediaKind
from backend.errors import DatasetError, NotFound, UsageError
from backend.ingest import importer
from backend.ingest.importer import import_dataset
from backend.store.database import Database
from backend.store.datasets import Datasets
from backend.store.schema import metadata, pairs


@pytest.fixture
def db(tmp_path):
    database = Database(tmp_path / "winnow.db")
    metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def item(n, preference="first", **changes):
    row = {"prompt": f"p{n}", "first": f"{n}a.jpg", "second": f"{n}b.jpg", "preference": preference}
    return {**row, **changes}


def write(folder: Path, rows, name="a.jsonl") -> str:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    (folder / name).write_text("\n".join(lines))
    return f"pairs:{folder / name}"


def pictures(folder: Path, *names: str) -> None:
    for name in names:
        Image.new("RGB", (16, 16), "red").save(folder / name)


def pair_rows(db, dataset_id):
    return [(row.id, row.pair, row.media_ok) for row in Datasets(db).iter_stored(dataset_id)]


def issues(db, row, code=None):
    return [(i["code"], Path(i["file"]).name, i["row"]) for i in Datasets(db).issues(row.id, code)]


def test_the_integrity_report_counts_and_lists_everything_with_file_and_row(db, folder):
    rows = [
        item(0),
        item(1, "tie"),
        item(0),  # duplicate
        item(0, "second"),  # contradicts
        "{broken",
        item(2),  # 2b missing
        item(3),  # 3a unreadable
        item(4, first="../../etc/4.jpg"),
        item(0, "second", first="0b.jpg", second="0a.jpg"),  # the same, the other way round
        item(5, prompt="\ud800"),
    ]
    pictures(folder, "0a.jpg", "0b.jpg", "1a.jpg", "1b.jpg", "2a.jpg", "3b.jpg", "4b.jpg")
    (folder / "3a.jpg").write_text("no picture")
    row = import_dataset(db, name="d", spec=write(folder, rows))
    assert row.counts == {
        "rows": 10,
        "pairs": 5,
        "duplicates": 3,
        "conflicts": 1,
        "ties": 1,
        "missing": 1,
        "unreadable": 2,
        "broken": 2,
    }
    assert sorted(issues(db, row)) == sorted(
        (code, "a.jsonl", n)
        for code, n in [
            ("tie", 1),
            ("duplicate", 2),
            ("duplicate", 3),
            ("conflict", 3),
            ("broken", 4),
            ("missing", 5),
            ("unreadable", 6),
            ("unreadable", 7),
            ("duplicate", 8),
            ("broken", 9),
        ]
    )
    assert issues(db, row, "missing") == [("missing", "a.jsonl", 5)]
    stored = pair_rows(db, row.id)
    assert [(p.index, ok) for _, p, ok in stored] == [(0, True), (1, True), (5, False), (6, False), (7, False)]
    assert stored[0][1].preference.value == "first"
    assert (row.status, row.source, row.data_root) == ("ready", "pairs", str(folder))


def test_adding_the_same_files_again_adds_nothing_and_looks_at_the_media_anew(db, folder):
    spec = write(folder, [item(n) for n in range(3)])
    pictures(folder, "0a.jpg", "0b.jpg", "1a.jpg", "1b.jpg", "2a.jpg")
    first = import_dataset(db, name="d", spec=spec)
    pictures(folder, "2b.jpg")
    (folder / "0a.jpg").unlink()
    again = import_dataset(db, name="d", spec=spec)
    assert (again.id, again.fingerprint) == (first.id, first.fingerprint)
    assert issues(db, first) == [("missing", "a.jsonl", 0)]
    assert [ok for *_, ok in pair_rows(db, again.id)] == [False, True, True]


@pytest.mark.parametrize("after", [1, 2])
def test_an_import_killed_in_the_middle_goes_on_and_ends_the_same(db, folder, monkeypatch, tmp_path, after):
    monkeypatch.setattr(importer, "CHUNK", 4)
    spec = write(folder, [item(n % 9, "tie" if n % 9 == 4 else "first") for n in range(20)])

    def stop(rows):
        if rows > 4 * after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(db, name="d", spec=spec, check_media=False, progress=stop)
    partial = Datasets(db).get("d")
    assert partial.status == "importing"
    assert Datasets(db).count(partial.id) > 0
    resumed = import_dataset(db, name="d", spec=spec, check_media=False)
    whole = import_dataset(db, name="e", spec=spec, check_media=False)
    assert resumed.id == partial.id
    assert (resumed.fingerprint, resumed.counts) == (whole.fingerprint, whole.counts)
    assert resumed.counts["pairs"] == 9
    assert issues(db, resumed) == issues(db, whole)
    assert [p for _, p, _ in pair_rows(db, resumed.id)] == [p for _, p, _ in pair_rows(db, whole.id)]


@pytest.mark.parametrize(
    "rows",
    [
        [item(0), item(1, "second")],
        [item(0), item(1), item(2)],
        [item(0)],
        [item(1), item(0)],
        [item(0), item(1, first="1b.jpg", second="1a.jpg")],
    ],
    ids=["preference", "more", "fewer", "order", "sides"],
)
def test_files_that_changed_are_refused_and_the_dataset_stays_as_it_was(db, folder, rows):
    spec = write(folder, [item(0), item(1)])
    before = import_dataset(db, name="d", spec=spec)
    listed, stored = issues(db, before), pair_rows(db, before.id)
    write(folder, rows)
    with pytest.raises(DatasetError, match="changed"):
        import_dataset(db, name="d", spec=spec)
    assert Datasets(db).get("d") == before
    assert issues(db, before) == listed
    assert pair_rows(db, before.id) == stored


def test_a_name_is_not_given_to_other_files(db, folder):
    import_dataset(db, name="d", spec=write(folder, [item(0)]), check_media=False)
    with pytest.raises(DatasetError, match="already"):
        import_dataset(db, name="d", spec=write(folder, [item(1)], "b.jsonl"), check_media=False)


@pytest.mark.parametrize("text", ["", "[]", "[", "{}", "no json", "[1, 2]"])
def test_a_file_without_a_usable_row_is_refused_and_leaves_no_dataset(db, folder, text):
    with pytest.raises(DatasetError, match=r"no usable row|breaks off"):
        import_dataset(db, name="d", spec=write(folder, [text]))
    with pytest.raises(NotFound):
        Datasets(db).get("d")


def test_a_pair_of_one_file_with_itself_is_reported_and_left_out(db, folder):
    pictures(folder, "0a.jpg", "0b.jpg", "1a.jpg")
    row = import_dataset(db, name="d", spec=write(folder, [item(0), item(1, second="1a.jpg")]))
    assert (row.counts["pairs"], row.counts["broken"]) == (1, 1)
    [issue] = Datasets(db).issues(row.id, "broken")
    assert issue["row"] == 1 and "same file" in issue["message"]


@pytest.mark.parametrize("name", ["", "  "])
def test_a_dataset_without_a_name_is_refused(db, folder, name):
    with pytest.raises(UsageError, match="name"):
        import_dataset(db, name=name, spec=write(folder, [item(0)]), check_media=False)
    assert Datasets(db).list() == []


def test_a_row_about_another_medium_than_is_wanted_is_refused_wherever_it_stands(db, folder):
    clip = item(2, first="2a.mp4", second="2b.mp4")
    with pytest.raises(DatasetError, match="row 0 is a pair of videos"):
        import_dataset(db, name="d", spec=write(folder, [clip]), kind=MediaKind.IMAGE)
    assert Datasets(db).list() == []
    spec = write(folder, [item(0), item(1), clip])
    with pytest.raises(DatasetError, match="row 2 is a pair of videos"):
        import_dataset(db, name="d", spec=spec, kind=MediaKind.IMAGE, check_media=False)
    assert Datasets(db).get("d").status == "failed"


def test_the_row_that_makes_a_file_unusable_is_told_apart_from_its_line(db, folder):
    write(folder, ["", "{broken"])
    with pytest.raises(DatasetError, match=r"a\.jsonl row 0: line 2: invalid JSON"):
        import_dataset(db, name="d", spec=f"pairs:{folder}/a.jsonl")


def test_a_missing_file_is_refused(db, folder):
    with pytest.raises(DatasetError, match="no such file"):
        import_dataset(db, name="d", spec=f"hpdv3:{folder}/none.json")


def test_a_failed_import_does_not_keep_its_name(db, folder):
    (folder / "b.csv").write_text("prompt,first\na,b\n")
    good = write(folder, [item(0)])
    with pytest.raises(DatasetError, match="second"):
        import_dataset(db, name="d", spec=f"{good},pairs:{folder}/b.csv", check_media=False)
    assert Datasets(db).get("d").status == "failed"
    assert import_dataset(db, name="d", spec=good, check_media=False).counts["pairs"] == 1


def test_files_with_different_folders_share_their_parent_as_data_root(db, folder):
    for part in ("x", "y"):
        (folder / part).mkdir()
        pictures(folder / part, "0a.jpg", "0b.jpg")
    absolute = str(folder / "y" / "0a.jpg")
    spec = ",".join(
        [
            write(folder / "x", ["{broken", item(0)]),
            write(folder / "y", [item(0), item(1, first=absolute, second="0b.jpg")]),
        ]
    )
    row = import_dataset(db, name="d", spec=spec)
    assert (row.data_root, row.counts["missing"], row.counts["unreadable"]) == (str(folder), 0, 0)
    pairs = [pair for _, pair in Datasets(db).iter_pairs(row.id)]
    assert [p.first.path for p in pairs] == ["x/0a.jpg", "y/0a.jpg", absolute]
    assert [p.index for p in pairs] == [1, 2, 3]  # over all files; broken rows count too


def test_a_given_data_root_is_what_the_paths_are_relative_to(db, folder, tmp_path):
    (tmp_path / "media").mkdir()
    pictures(tmp_path / "media", "0a.jpg", "0b.jpg")
    row = import_dataset(db, name="d", spec=write(folder, [item(0)]), data_root=tmp_path / "media")
    assert (row.data_root, row.counts["missing"]) == (str(tmp_path / "media"), 0)
    with pytest.raises(DatasetError, match="no such folder"):
        import_dataset(db, name="e", spec=write(folder, [item(0)]), data_root=tmp_path / "none")


def test_rapidata_with_a_given_data_root_looks_for_the_video_folder_there(db, folder, tmp_path):
    scores = {f"weighted_results{s}_{a}": [float(s)] for s in (1, 2) for a in ("Alignment", "Coherence", "Preference")}
    table = pa.table({"prompt": ["p"], "file_name1": ["a.mp4"], "file_name2": ["b.mp4"], **scores})
    pq.write_table(table, folder / "a.parquet")
    (tmp_path / "media" / "Videos").mkdir(parents=True)
    (tmp_path / "media" / "Videos" / "a.mp4").write_bytes(b"no video")
    row = import_dataset(db, name="d", spec=f"rapidata-t2v:{folder}/a.parquet", data_root=tmp_path / "media")
    assert (row.counts["unreadable"], row.counts["missing"], row.counts["pairs"]) == (1, 1, 1)
    assert issues(db, row) == [("unreadable", "a.parquet", 0), ("missing", "a.parquet", 0)]


def test_without_media_checks_nothing_is_opened_and_kinds_must_agree(db, folder):
    spec = write(folder, [item(0), item(1, first="a.mp4"), item(2, first="a.txt", second="b.txt")])
    row = import_dataset(db, name="d", spec=spec, check_media=False)
    assert (row.counts["pairs"], row.counts["missing"], row.counts["broken"]) == (1, 0, 2)


def test_pairs_are_given_in_file_order_by_pages_that_skip_nothing(db, folder):
    rows = ["{", *(item(n) for n in range(25))]
    row = import_dataset(db, name="d", spec=write(folder, rows), check_media=False)
    store = Datasets(db)
    every = list(store.iter_pairs(row.id))
    assert [p.index for _, p in every] == list(range(1, 26))
    for chunk in (1, 4, 5, 25, 26):
        assert list(store.iter_pairs(row.id, chunk=chunk)) == every
        assert list(store.iter_pairs(row.id, chunk=chunk, after_idx=3, limit=7)) == every[3:10]
    assert list(store.iter_pairs(row.id, limit=0)) == []
    pair_id, pair = every[4]
    found = store.find_pairs(row.id, indexes=[pair.index, 99], keys=[every[0][1].key, "none"])
    assert found == {pair.index: (pair_id, pair), every[0][1].key: every[0]}


def test_an_unknown_dataset_is_answered_with_those_there_are(db, folder):
    import_dataset(db, name="mine", spec=write(folder, [item(0)]), check_media=False)
    with pytest.raises(NotFound) as caught:
        Datasets(db).get("yours")
    assert "mine" in caught.value.hint


def test_what_json_or_a_database_cannot_hold_is_left_out_of_extra(db, folder):
    extra = [
        '"confidence": NaN, "model1": "m"',
        r'"model1": "a\u0000b", "model2": "\ud83d\ude00"',
        r'"model1": "\ud83d", "model2": "m"',
    ]
    texts = [f'{{"prompt": "p{n}", "path1": "a", "path2": "b", {e}}}' for n, e in enumerate(extra)]
    (folder / "a.json").write_text("[" + ",".join(texts) + "]")
    import_dataset(db, name="d", spec=f"hpdv3:{folder}/a.json", check_media=False)
    with db.read() as connection:
        stored = connection.execute(select(pairs.c.extra).order_by(pairs.c.idx)).scalars().all()
    assert stored == [{"model1": "m"}, {"model2": "😀"}, {"model2": "m"}]
