"""``sharegpt-frames``: videos that hold what the judge was shown, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.curation.sets import get_set
from backend.domain.pairs import MediaKind
from backend.errors import ExportError
from backend.export.exporter import export_set
from backend.media.reading import read_medium, read_video
from backend.media.sizes import MAX_PIXELS
from backend.media.video import VideoFrames
from backend.workspace import Workspace
from tests.workspaces import build_workspace

FORMAT = "sharegpt-frames"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path_factory.mktemp("frames"), images=4, videos=3)
    opened.freeze("mixed", [1, 3])
    yield opened
    opened.close()


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / name).read_text())
    return found


@pytest.mark.parametrize("bundle", [False, True])
def test_videos_hold_the_frames_that_the_judge_was_shown(space: Workspace, tmp_path: Path, bundle: bool) -> None:
    frozen = get_set(space.database, "mixed")
    plain, made = tmp_path / "plain", tmp_path / "made"
    export_set(space.database, frozen, format="sharegpt", out=plain)
    manifest = export_set(space.database, frozen, format=FORMAT, out=made, bundle=bundle)
    before, after = (rows(folder, "winnow_t2v.json") for folder in (plain, made))
    assert before and len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert [old["conversations"], old["system"]] == [new["conversations"], new["system"]]
        for source, path in zip(old["videos"], new["videos"], strict=True):
            assert Path(path).is_absolute() != bundle
            shown = read_medium(Path(source), MediaKind.VIDEO, fps=2.0, max_pixels=MAX_PIXELS, factor=28)
            again = read_video(made / path, fps=2.0)
            assert isinstance(shown, VideoFrames)
            assert np.array_equal(again.frames, shown.frames)
            assert again.total_frames == len(shown.frames) < shown.total_frames
    pictures = [row["images"] for row in rows(made, "winnow_t2i.json")]
    if bundle:
        assert all((made / path).is_file() for pair in pictures for path in pair)
    else:
        assert pictures == [row["images"] for row in rows(plain, "winnow_t2i.json")]
    assert manifest.rows == len(after) + len(pictures)


def test_the_next_export_takes_the_place_of_all_of_it(space: Workspace, tmp_path: Path) -> None:
    frozen, out = get_set(space.database, "mixed"), tmp_path / "o"
    export_set(space.database, frozen, format=FORMAT, out=out)
    assert any((out / "media").iterdir())
    export_set(space.database, frozen, format="jsonl", out=out)
    assert not (out / "media").exists()


def test_a_video_that_cannot_be_read_ends_the_export_with_its_name(space: Workspace, tmp_path: Path) -> None:
    frozen = get_set(space.database, "mixed")
    video = space.folder / "media/t2v/0-second.mp4"
    shutil.copy(video, tmp_path / "kept")
    video.write_bytes(b"no video")
    try:
        with pytest.raises(ExportError, match=video.name):
            export_set(space.database, frozen, format=FORMAT, out=tmp_path / "o")
    finally:
        shutil.copy(tmp_path / "kept", video)
    assert not (tmp_path / "o" / "manifest.json").exists()
    export_set(space.database, frozen, format=FORMAT, out=tmp_path / "o")
