"""Which of the accepted rows a set keeps: the same answer for a preview as for what is frozen."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from backend.store.sets import Sets


@dataclass(frozen=True, slots=True)
class Balance:
    """As many rows whose answer is the first side as the second, by leaving some out.

    A judge that is trained on more of one learns to prefer a position. Which rows are left out
    depends on the seed and on each row's pair, order and sample alone.
    """

    seed: int = 0


class Row(Protocol):
    """What tells a row of a set from every other, and its answer."""

    @property
    def run_id(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def shown_order(self) -> str: ...
    @property
    def sample(self) -> int: ...
    @property
    def answer(self) -> str: ...


def keeping(sets: Sets, snapshot: Connection, run_ids: Sequence[int], balance: Balance | None) -> Callable[[Row], bool]:
    """Whether a set of these runs keeps an accepted row.

    With balance, of the commoner answer only as many as there are of the other: those of lowest rank.
    """
    if balance is None:
        return lambda _row: True
    seed = balance.seed
    ranks = {"first": array("Q"), "second": array("Q")}
    for run_id in run_ids:
        for row in sets.candidates(snapshot, run_id):
            ranks[row.answer].append(_rank(row, seed))
    fewest = min(len(some) for some in ranks.values())
    # Ranks are 64 bits of a hash: that two are equal is not worth a second key.
    highest = {answer: sorted(some)[fewest - 1] if fewest else -1 for answer, some in ranks.items()}
    return lambda row: _rank(row, seed) <= highest[row.answer]


def _rank(row: Row, seed: int) -> int:
    key = f"{seed}:{row.run_id}:{row.key}:{row.shown_order}:{row.sample}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
