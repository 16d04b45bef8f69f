"""From pairs to stored predictions: decode ahead, feed the engine, commit, count.

Three threads meet here. The engine pulls requests on a thread of its own, and decoding runs ahead
of it; the main thread takes outcomes as they finish; the committer stores them in small batches, a
few times a second, so that ``kill -9`` loses what was in flight and little else. While the database
is away, the committer waits for it; the engine ends what it has in flight and is given nothing new, so
that memory stays bounded.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from backend.domain.filtering import Policy
from backend.domain.pairs import Order, ShownPair
from backend.domain.prompts import judge_messages
from backend.engines.base import Completion, Engine, Failure, Medium, Outcome, Request
from backend.engines.models import pixel_factor
from backend.errors import EngineHung
from backend.inference.deciding import decide_pairs
from backend.inference.parsing import parsed
from backend.inference.spec import RunSpec
from backend.inference.watch import EngineWatch
from backend.inference.work import Decoded, decode_ahead, decode_media, pending_work
from backend.media.held import Held
from backend.media.paths import MediaRoot
from backend.store.database import Database
from backend.store.datasets import Datasets
from backend.store.failures import Failures, NewFailure
from backend.store.outage import Patience
from backend.store.predictions import NewPrediction, Predictions
from backend.store.runs import NATS, Runs

log = logging.getLogger(__name__)

DECODE_WORKERS = 4
FINISH_WORD = 20
"""Characters of ``predictions.finish_reason``."""
COMMIT_SECONDS = 0.25
COMMIT_ROWS = 256
MOST_WAITING = 16 * COMMIT_ROWS
"""Outcomes that wait to be stored until the engine is given nothing new."""
RATE_WINDOW_SECONDS = 30.0
_LAST_COMMIT_S = 60.0
_ROOM_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """Where an outcome belongs."""

    pair_id: int
    shown: ShownPair
    sample: int


def completion_seed(seed: int, key: str, order: Order, sample: int) -> int:
    """The seed of one completion: 31 bits drawn from the run's seed and what is asked."""
    digest = hashlib.sha256(f"{seed}:{key}:{order.value}:{sample}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def new_prediction(place: Place, completion: Completion, *, use_cot: bool) -> NewPrediction:
    """Parse what the judge wrote and bind it to the pair as it was shown."""
    text = storable(completion.text)
    reason = finish_word(completion.finish_reason)
    found = parsed(text, place.shown.kind, finish_reason=reason, use_cot=use_cot)
    return NewPrediction(
        pair_id=place.pair_id,
        shown_order=place.shown.order,
        sample=place.sample,
        text=text,
        finish_reason=reason,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        preferred=place.shown.preferred.value,
        answer=found.answer,
        margin=found.margin,
        flaws=found.flaws,
        reasoning_hash=found.reasoning_hash,
        scores=found.scores,
        kind=place.shown.kind.value,
    )


def finish_word(reason: str | None) -> str | None:
    """An engine's word for why it stopped, as the store has room for it."""
    return None if reason is None else storable(reason)[:FINISH_WORD]


def storable(text: str) -> str:
    """``text`` as every database holds it: half surrogate pairs and NUL become U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Pipeline:
    """One pass of an engine over what a run still has to do."""

    def __init__(
        self,
        database: Database,
        *,
        run_id: int,
        dataset_id: int,
        data_root: Path,
        spec: RunSpec,
        policy: Policy,
        total: int,
        links_to: Sequence[str] = (),
        stop: Event | None = None,
        watch: EngineWatch | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._db = database
        self._run_id = run_id
        self._dataset_id = dataset_id
        self._media = MediaRoot(str(data_root), links_to)
        self._spec = spec
        self._policy = policy
        self._total = total
        self._stop = stop or Event()
        self._watch = watch
        self._patience = patience or Patience(stop=self._stop)
        self._datasets = Datasets(database)
        self._predictions = Predictions(database)
        self._failures = Failures(database)
        self._runs = Runs(database)
        self._asked: dict[int, tuple[Place, Held[Medium]]] = {}
        self._lock = Lock()
        self._outcomes: queue.Queue[tuple[Place, Outcome] | None] = queue.Queue()
        self._committer = Thread(target=self._commit_loop, name="commit", daemon=True)
        self._error: BaseException | None = None
        self._rates = _Rates(total)

    def run(self, engine: Engine) -> None:
        """Answer everything that is still open, or stop early when asked to.

        Raises:
            EngineHung: See :meth:`give_up`.
            EngineError: The engine can go on no longer. What it had finished is stored.
            StoreError: Predictions could not be stored, for instance because the disk is full.
            StoreUnavailable: The database was away for longer than is waited for it.
        """
        done = self._patience.call(lambda: self._runs.prediction_count(self._run_id))
        self._rates.start(done)
        self._committer.start()
        try:
            with self._watch.answering(engine.pulse) if self._watch else nullcontext():
                self._drive(engine)
        finally:
            self._outcomes.put(None)
            self._committer.join()
        if self._error:
            raise self._error

    def give_up(self, error: EngineHung) -> None:
        """Store what is answered, and take nothing more from an engine that has hung.

        From another thread than the one that is held up in :meth:`run`; that one raises ``error``,
        should it ever get out of there.
        """
        self._error = self._error or error
        self._outcomes.put(None)
        if self._committer.ident is not None:
            self._committer.join(_LAST_COMMIT_S)

    def _drive(self, engine: Engine) -> None:
        outcomes = engine.generate(self._requests())
        try:
            for outcome in outcomes:
                self._alive()
                with self._lock:
                    place, held = self._asked.pop(outcome.id)
                held.end()
                self._outcomes.put((place, outcome))
                if self._error or self._stop.is_set():
                    break
        finally:
            close = getattr(outcomes, "close", None)
            # First, because what the engine still pulls may be waiting for their memory.
            self._let_go()
            if close:
                close()
            self._let_go()

    def _alive(self) -> None:
        if self._watch:
            self._watch.alive()

    def _let_go(self) -> None:
        with self._lock:
            left = [held for _, held in self._asked.values()]
        for held in left:
            held.end()

    def _requests(self) -> Iterator[Request]:
        spec = self._spec
        work = pending_work(
            self._datasets, self._predictions, self._run_id, self._dataset_id, spec, patience=self._patience
        )
        factor = pixel_factor(spec.model)
        decoded = decode_ahead(
            work,
            lambda item, share: decode_media(item, self._media, spec, factor, share),
            workers=DECODE_WORKERS,
            ahead=max(2 * DECODE_WORKERS, spec.options.batch_size // 2),
            stop=self._stop,
        )
        number = 0
        for item in decoded:
            self._wait_for_room()
            pair = item.work.pair
            for order, sample in item.work.missing:
                shown = pair.shown(order)
                place = Place(item.work.pair_id, shown, sample)
                if item.error is not None:
                    failure = Failure(id=-1, error=item.error.message, hint=item.error.hint)
                    self._outcomes.put((place, failure))
                    continue
                media = item.shown(order)
                with self._lock:
                    self._asked[number] = place, media
                self._alive()
                try:
                    yield self._request(number, item, media, shown, sample)
                except GeneratorExit:
                    item.give_back()
                    raise
                number += 1
                if self._stop.is_set() or self._error:
                    item.give_back()
                    return

    def _wait_for_room(self) -> None:
        while self._outcomes.qsize() > MOST_WAITING and not (self._stop.is_set() or self._error):
            # It is we who hold the engine up.
            self._alive()
            time.sleep(_ROOM_POLL_S)

    def _request(self, number: int, item: Decoded, media: Held[Medium], shown: ShownPair, sample: int) -> Request:
        assert item.paths is not None
        first_path, second_path = shown.order.arrange(*item.paths)
        return Request(
            id=number,
            kind=shown.kind,
            messages=judge_messages(shown.kind, self._spec.instruction_for(shown.kind, shown.prompt)),
            media=media,
            paths={"first": first_path, "second": second_path},
            seed=completion_seed(self._spec.seed, shown.pair_key, shown.order, sample),
        )

    def _commit_loop(self) -> None:
        try:
            batch: list[tuple[Place, Outcome]] = []
            due = time.monotonic() + COMMIT_SECONDS
            ended = False
            while not ended:
                try:
                    item = self._outcomes.get(timeout=max(0.0, due - time.monotonic()))
                    if item is None:
                        ended = True
                    else:
                        batch.append(item)
                except queue.Empty:
                    pass
                if ended or len(batch) >= COMMIT_ROWS or time.monotonic() >= due:
                    if batch:
                        self._commit(batch)
                        batch = []
                    due = time.monotonic() + COMMIT_SECONDS
        except BaseException as error:  # noqa: BLE001 - handed to the thread that runs the engine
            self._error = error

    def _commit(self, batch: list[tuple[Place, Outcome]]) -> None:
        made: list[NewPrediction] = []
        failed: list[NewFailure] = []
        now = time.time()
        for place, outcome in batch:
            if isinstance(outcome, Completion):
                made.append(new_prediction(place, outcome, use_cot=self._spec.use_cot))
                self._rates.count(outcome)
            else:
                failed.append(
                    NewFailure(
                        pair_id=place.pair_id,
                        shown_order=place.shown.order,
                        sample=place.sample,
                        error=storable(outcome.error),
                        hint=storable(outcome.hint) if isinstance(outcome.hint, str) else outcome.hint,
                        created_at=now,
                    )
                )
                log.warning("pair %s: %s", place.shown.index, outcome.error)
        self._rates.failed += len(failed)
        self._patience.call(lambda: self._store(made, failed))

    def _store(self, made: list[NewPrediction], failed: list[NewFailure]) -> None:
        """One transaction; to do it twice stores nothing twice."""
        with self._db.write() as connection:
            stored = self._predictions.add(connection, self._run_id, made)
            decide_pairs(connection, self._run_id, self._policy, {pair_id for pair_id, _, _ in stored})
            self._failures.add(connection, self._run_id, failed)
            self._runs.set_progress(connection, self._run_id, self._rates.snapshot())


class _Rates:
    """Live rates of a run over a sliding window."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._before = 0
        self._made = 0
        self._tokens = 0
        self._nats, self._weighed = 0.0, 0
        self._recent: deque[tuple[float, int, int]] = deque()
        self.failed = 0

    def start(self, done_before: int) -> None:
        self._before = done_before
        self._recent.append((time.monotonic(), 0, 0))

    def count(self, completion: Completion) -> None:
        self._made += 1
        tokens = completion.completion_tokens or 0
        self._tokens += tokens
        if completion.nats is not None:
            self._nats += completion.nats * tokens
            self._weighed += tokens

    def snapshot(self) -> dict[str, Any]:
        now = time.monotonic()
        self._recent.append((now, self._made, self._tokens))
        while len(self._recent) > 2 and now - self._recent[0][0] > RATE_WINDOW_SECONDS:
            self._recent.popleft()
        since, made, tokens = self._recent[0]
        seconds = max(now - since, 1e-6)
        rate = (self._made - made) / seconds
        left = max(0, self._total - self._before - self._made - self.failed)
        return {
            "pairs_per_s": round(rate, 3),
            "tokens_per_s": round((self._tokens - tokens) / seconds, 1),
            "eta_s": round(left / rate, 1) if rate else None,
            "completion_tokens": self._tokens,
            NATS: round(self._nats / self._weighed, 6) if self._weighed else None,
        }
