"""The overview counts every row, pair and prediction once."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from backend.inference.launch import RunRequest
from backend.inference.preflight import preflight
from backend.ingest.importer import import_dataset
from backend.store.overview import Overview
from backend.workspace import open_workspace, settings_for
from tests.workspaces import build_workspace


def test_a_row_in_several_sets_is_one_row_of_the_overview(tmp_path: Path, either_url: str | None) -> None:
    space = build_workspace(tmp_path / "ws", images=8, videos=1, url=either_url)
    overview = Overview(space.database)
    one = space.freeze("one", [1])
    both = space.freeze("both", [1, 2])
    assert overview.rows_in(overview.set_groups()[0]) == both.counts["items"]
    # A newer version takes the place of the older one, and what was trained on either stays one.
    row = next(space.predictions.iter_rows(1, decision="accepted"))
    space.rulings.add(row["id"], "reject", reviewer="Ada")
    newer = space.freeze("both", [1, 2])
    newest, _ = overview.set_groups()
    assert newest == (one.id, newer.id)
    assert overview.rows_in(newest) == both.counts["items"]  # the rejected row is in "one" still
    assert overview.rows_in((newer.id,)) == both.counts["items"] - 1
    assert overview.rows_in((both.id, newer.id)) == both.counts["items"]


def test_a_pair_that_lacks_both_media_is_one_pair_everywhere(tmp_path: Path, either_url: str | None) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "cut.png").write_bytes(b"no image")
    rows = [
        {"prompt": "p", "path1": "a.png", "path2": "b.png"},
        {"prompt": "q", "path1": "gone.png", "path2": "cut.png"},
        {"prompt": "r", "path1": "a.png", "path2": "gone.png"},
    ]
    (tmp_path / "pairs.json").write_text(json.dumps(rows), encoding="utf-8")
    space = open_workspace(settings_for(tmp_path / "ws").model_copy(update={"database_url": either_url}))
    row = import_dataset(space.database, name="d", spec=f"hpdv3:{tmp_path / 'pairs.json'}", data_root=None)
    assert row.counts["missing"] + row.counts["unreadable"] == 3
    assert Overview(space.database).waiting().missing == (("d", 2),)
    request = RunRequest(dataset="d", model="m", engine="scripted")
    checks = preflight(space.database, space.folder, {}, request)
    assert [check.message for check in checks if check.name == "Media"] == ["2 pairs lack a medium that can be opened"]
