"""What is decoded at a time stays within the budget, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, TiffImagePlugin

from backend.media.budget import DECODING, Budget, Share
from backend.media.held import Held
from backend.media.images import read_image

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def decoding() -> Iterator[Budget]:
    before = DECODING.limit
    assert DECODING.used == 0
    yield DECODING
    DECODING.limit = before
    assert DECODING.used == 0, "everything was given back"


def test_no_more_is_out_than_the_limit_and_a_larger_one_goes_alone() -> None:
    budget, out, most, lock = Budget(100), 0, [], threading.Lock()

    def work(size: int) -> None:
        nonlocal out
        with budget.hold(size):
            with lock:
                out += size
                most.append((out, size))
            time.sleep(0.001)
            with lock:
                out -= size

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, [30, 60, 250, 10, 90, 40] * 20))
    assert len(most) == 120
    assert all(held <= 100 or held == size for held, size in most)
    assert budget.used == 0


def test_a_large_one_is_not_overtaken_by_those_who_came_later() -> None:
    budget, order = Budget(100), []
    first = budget.share()
    first.take(60)
    shares = [(budget.share(), size) for size in (90, 10, 10)]
    threads = []

    def work(number: int) -> None:
        share, size = shares[number]
        share.take(size)
        order.append(number)
        share.give_back()

    for number in (2, 1, 0):
        threads.append(threading.Thread(target=work, args=(number,)))
        threads[-1].start()
    assert order == []
    first.give_back()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2]


def test_who_waits_can_be_told_to_leave_and_those_behind_go_on() -> None:
    budget = Budget(100)
    holder, waiting, behind = budget.share(), budget.share(), budget.share()
    holder.take(100)
    with ThreadPoolExecutor(2) as pool:
        told = pool.submit(waiting.take, 50)
        next_one = pool.submit(behind.take, 50)
        waiting.give_back()
        with pytest.raises(CancelledError):
            told.result()
        holder.give_back()
        next_one.result()
    assert budget.used == 50


def test_media_that_were_let_go_are_free_and_what_was_made_of_them_counts(decoding: Budget) -> None:
    share = decoding.share()
    share.take(1000)
    held = Held({"first": object(), "second": object()}, share.give_back)
    assert list(held) == ["first", "second"]
    held.let_go(instead=10)
    held.let_go(instead=10)
    assert decoding.used == 10
    with pytest.raises(RuntimeError):
        held["first"]
    held.end()
    assert decoding.used == 0


def test_pixels_are_gone_before_their_share_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "large.tif"
    Image.new("RGB", (1_200, 900), "navy").save(file)
    loaded: list[Image.Image] = []
    load, give_back = TiffImagePlugin.TiffImageFile.load, Share.give_back

    def note(image: TiffImagePlugin.TiffImageFile) -> Any:
        loaded.append(image)
        return load(image)

    def look(share: Share) -> None:
        for image in tuple(loaded):  # asking for a pixel loads
            with pytest.raises(ValueError, match="closed"):
                image.getpixel((0, 0))
        give_back(share)

    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "load", note)
    monkeypatch.setattr(Share, "give_back", look)
    with file.open("rb") as stream:
        small = read_image(stream, max_pixels=28 * 28 * 16)
        assert small.getpixel((0, 0)) == (0, 0, 128)
        assert loaded
        assert not stream.closed
