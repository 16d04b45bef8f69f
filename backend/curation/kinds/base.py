"""What a kind of review queue is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from backend.store.picks import Picks

MOST_ITEMS = 100_000
"""Items of one queue: some months of reviewing. What is left over makes the next queue."""


class KindOptions(BaseModel):
    """Options of a kind; the queue keeps them with what it was made from."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Pick = Callable[[Picks, Sequence[int], Any], Iterable[int]]
"""Ids of predictions of these runs (of all where none is named), in the order of reviewing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueKind:
    """A kind of queue as it is declared, in the file that holds it.

    Attributes:
        name: As stored; up to 30 characters.
        label: What the page calls it.
        purpose: One or two sentences.
        nothing: What to do about an empty queue.
        pick: Chooses from the store, given the kind's options; ``None`` where the predictions are given.
        options: Model of its options.
        random: It says something about what it was drawn from: audits estimate shares and intervals.
        doubts_labels: Each pair says which answers contradict its recorded preference.
    """

    name: str
    label: str
    purpose: str
    nothing: str
    pick: Pick | None
    options: type[KindOptions] = KindOptions
    random: bool = False
    doubts_labels: bool = False
