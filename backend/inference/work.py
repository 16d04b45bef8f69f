"""What a run still has to do, and decoding its media ahead of the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event, Lock

from backend.domain.pairs import Order, Pair, shown_orders
from backend.engines.base import Medium
from backend.errors import WinnowError
from backend.inference.spec import RunSpec
from backend.media.budget import DECODING, Share
from backend.media.held import Held
from backend.media.paths import MediaRoot
from backend.media.reading import opened_medium
from backend.store.datasets import Datasets
from backend.store.outage import Patience
from backend.store.predictions import Key, Predictions

CHUNK = 500


@dataclass(frozen=True, slots=True)
class PairWork:
    """A pair and the (order, sample) combinations of it that have no prediction yet."""

    pair_id: int
    pair: Pair
    missing: tuple[tuple[Order, int], ...]


class Decoded:
    """Work with its media in dataset order, or with the reason why they cannot be had.

    The media count towards the memory budget until every request about them has let go of them.
    """

    def __init__(
        self,
        work: PairWork,
        share: Share,
        *,
        paths: tuple[str, str] | None = None,
        media: tuple[Medium, Medium] | None = None,
        error: WinnowError | None = None,
    ) -> None:
        self.work, self.paths, self.error = work, paths, error
        self.media = media
        self._share = share
        self._left = len(work.missing)
        self._lock = Lock()
        if media is None:
            share.give_back()

    def shown(self, order: Order) -> Held[Medium]:
        """The media of one request, in its order; called once for each that is missing."""
        assert self.media is not None
        first, second = order.arrange(*self.media)
        return Held({"first": first, "second": second}, self._let_go)

    def give_back(self) -> None:
        """Nobody will ask about the pair any more."""
        self.media = None
        self._share.give_back()

    def _let_go(self) -> None:
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self.give_back()


def pending_work(
    datasets: Datasets, predictions: Predictions, run_id: int, dataset_id: int, spec: RunSpec, *, patience: Patience
) -> Iterator[PairWork]:
    """Everything in the run's spec that has no prediction yet, in dataset order.

    This is all that resuming is: what has no row is still to do.
    """
    left, last = spec.limit, (-1, 0)

    def read() -> tuple[list[tuple[int, Pair]], set[Key]]:
        count = CHUNK if left is None else min(CHUNK, left)
        rows = list(datasets.iter_pairs(dataset_id, after_idx=last[0], after_id=last[1], limit=count, chunk=CHUNK))
        return rows, predictions.known(run_id, (pair_id for pair_id, _ in rows))

    while left is None or left > 0:
        chunk, known = patience.call(read)
        if not chunk:
            return
        last = (chunk[-1][1].index, chunk[-1][0])
        left = None if left is None else left - len(chunk)
        for pair_id, pair in chunk:
            missing = tuple(
                (order, sample)
                for order in shown_orders(spec.order, spec.seed, pair.key)
                for sample in range(spec.samples)
                if (pair_id, order.value, sample) not in known
            )
            if missing:
                yield PairWork(pair_id, pair, missing)


def decode_media(work: PairWork, root: MediaRoot, spec: RunSpec, factor: int, share: Share | None = None) -> Decoded:
    """Read both media of a pair; a failure is a value, so that it reaches the right pair.

    Args:
        factor: Of the model, see :func:`backend.engines.models.pixel_factor`.
        share: A place in the queue for memory, if there is one already.
    """
    share = share or DECODING.share()
    options, sides = spec.options, (work.pair.first, work.pair.second)
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(root.open(side.path)) for side in sides]
            first, second = (
                stack.enter_context(
                    opened_medium(
                        file,
                        file.name,
                        work.pair.kind,
                        fps=options.video_fps,
                        max_pixels=options.max_pixels,
                        factor=factor,
                    )
                )
                for file in files
            )
            share.take(max(first.peak, first.kept + second.peak))
            media = first.decode(), second.decode()
            share.resize(first.kept + second.kept)
    except WinnowError as error:
        return Decoded(work, share, error=error)
    return Decoded(work, share, paths=(files[0].name, files[1].name), media=media)


def decode_ahead(
    work: Iterator[PairWork], decode: Callable[[PairWork, Share], Decoded], *, workers: int, ahead: int, stop: Event
) -> Iterator[Decoded]:
    """Decode up to ``ahead`` pairs before they are asked for, in order, on ``workers`` threads.

    Memory is given out in the same order: no pair waits for another one behind it.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    waiting: deque[tuple[Share, Future[Decoded]]] = deque()
    try:
        for item in work:
            if stop.is_set():
                return
            share = DECODING.share()
            waiting.append((share, pool.submit(decode, item, share)))
            if len(waiting) > ahead:
                yield waiting.popleft()[1].result()
        while waiting and not stop.is_set():
            yield waiting.popleft()[1].result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for share, _ in waiting:
            share.give_back()
