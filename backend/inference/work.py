"""What a run still has to do, and decoding its media ahead of the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from backend.domain.pairs import MediaKind, Order, Pair, shown_orders
from backend.engines.base import Medium
from backend.errors import MediaError, WinnowError
from backend.inference.spec import RunSpec
from backend.media.paths import MediaRoot
from backend.media.reading import read_medium
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


@dataclass(frozen=True, slots=True)
class Decoded:
    """Work with its media in dataset order, or with the reason why they cannot be had."""

    work: PairWork
    paths: tuple[str, str] | None = None
    media: tuple[Medium, Medium] | None = None
    error: WinnowError | None = None


def pending_work(
    datasets: Datasets,
    predictions: Predictions,
    run_id: int,
    dataset_id: int,
    spec: RunSpec,
    *,
    patience: Patience,
) -> Iterator[PairWork]:
    """Everything in the run's spec that has no prediction yet, in dataset order.

    This is all that resuming is: what has no row is still to do.
    """
    left, last = spec.limit, (-1, 0)

    def read() -> tuple[list[tuple[int, Pair]], set[Key]]:
        count = CHUNK if left is None else min(CHUNK, left)
        rows = list(
            datasets.iter_pairs(
                dataset_id, after_idx=last[0], after_id=last[1], limit=count, chunk=CHUNK
            )
        )
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


def decode_media(work: PairWork, root: MediaRoot, spec: RunSpec, factor: int) -> Decoded:
    """Read both media of a pair; a failure is a value, so that it reaches the right pair.

    Args:
        factor: Of the model, see :func:`backend.engines.models.pixel_factor`.
    """
    try:
        paths = tuple(root.resolve(ref.path) for ref in (work.pair.first, work.pair.second))
        first, second = (_decode(path, work.pair.kind, spec, factor) for path in paths)
    except WinnowError as error:
        return Decoded(work, error=error)
    except (OSError, ValueError, MemoryError) as error:
        return Decoded(work, error=MediaError(f"{work.pair.first.path}: {error}"))
    return Decoded(work, (str(paths[0]), str(paths[1])), (first, second))


def _decode(path: Path, kind: MediaKind, spec: RunSpec, factor: int) -> Medium:
    options = spec.options
    return read_medium(
        path, kind, fps=options.video_fps, max_pixels=options.max_pixels, factor=factor
    )


def decode_ahead(
    work: Iterator[PairWork],
    decode: Callable[[PairWork], Decoded],
    *,
    workers: int,
    ahead: int,
    stop: Event,
) -> Iterator[Decoded]:
    """Decode up to ``ahead`` pairs before they are asked for, in order, on ``workers`` threads."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    waiting: deque[Future[Decoded]] = deque()
    try:
        for item in work:
            if stop.is_set():
                return
            waiting.append(pool.submit(decode, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting and not stop.is_set():
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
