"""Media and thumbnails as browsers ask for them: whole, in ranges, broken, and none at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from backend.store.locating import locate
from backend.workspace import Workspace
from dashboard.media import sign
from tests.dashboard.review_calls import SESSION

pytestmark = pytest.mark.timeout(60)


def test_a_medium_is_answered_whole_in_ranges_and_by_its_head(client: TestClient, demo_space: Workspace) -> None:
    found = locate(demo_space.database, 1)
    data = found.root.resolve(found.first).read_bytes()
    link = sign(SESSION, 1, "first")
    before = len(list(Path("/dev/fd").iterdir()))
    whole = client.get(link)
    assert (whole.status_code, whole.content) == (200, data)
    part = client.get(link, headers={"Range": "bytes=5-14"})
    assert (part.status_code, part.content) == (206, data[5:15])
    assert part.headers["content-range"] == f"bytes 5-14/{len(data)}"
    several = client.get(link, headers={"Range": "bytes=0-3,10-13"})
    assert several.status_code == 206 and data[10:14] in several.content
    assert client.head(link).headers["content-length"] == str(len(data))
    assert client.get(link, headers={"Range": "bytes=9999999-"}).status_code == 416
    assert len(list(Path("/dev/fd").iterdir())) == before, "every descriptor is closed"


@pytest.mark.parametrize("size", [0, 160])
@pytest.mark.parametrize("what", ["fifo", "device", "avif"])
def test_what_cannot_be_shown_is_an_answer_at_once_and_no_failure_of_the_server(
    client: TestClient, demo_space: Workspace, what: str, size: int
) -> None:
    found = locate(demo_space.database, 2)
    path = found.root.resolve(found.first)
    away = path.rename(path.with_suffix(".away"))
    try:
        if what == "fifo":
            os.mkfifo(path)
        elif what == "device":
            path.symlink_to("/dev/zero")
        else:
            broken_avif(path)
        answer = client.get(sign(SESSION, 2, "first", size))
        expected = (200,) if what == "avif" and not size else range(400, 500)
        assert answer.status_code in expected
    finally:
        path.unlink()
        away.rename(path)


def broken_avif(path: Path) -> None:
    Image.effect_noise((64, 64), 90).convert("RGB").save(path, "AVIF")
    path.write_bytes(path.read_bytes()[:-40])
