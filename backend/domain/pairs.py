"""A pair of media, and the pair as one judge saw it.

Every side in Winnow is named relative to an order. A :class:`Pair` is in *dataset order*; a
:class:`ShownPair` is in the order the judge saw. ``first`` and ``second`` never travel without
one of the two, because a side without its order is how labels get inverted.

Sides change places here and nowhere else: :meth:`Order.arrange` for two things, :meth:`Order.turn`
for a judgment, :meth:`Preference.ranked` for the better one before the worse. Each is its own
inverse, so that the same call leads from dataset order to the shown order and back. A test keeps
code elsewhere from asking which order it has (``tests/unit/domain/test_sides_in_code.py``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class MediaKind(StrEnum):
    """What the two sides of a pair are. The value is also the noun the judge uses."""

    IMAGE = "image"
    VIDEO = "video"


class Preference(StrEnum):
    """Which side is better, relative to an order that is named beside it."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"

    def ranked(self, first: T, second: T) -> tuple[T, T]:
        """``first`` and ``second`` as (better, worse); (better, worse) as they stood before.

        Raises:
            ValueError: A tie ranks nothing.
        """
        if self is Preference.TIE:
            raise ValueError("a tie has no better side")
        return (second, first) if self is Preference.SECOND else (first, second)


class Order(StrEnum):
    """The order a judge saw: that of the dataset, or the two sides exchanged."""

    DATASET = "dataset"
    SWAPPED = "swapped"

    def arrange(self, first: T, second: T) -> tuple[T, T]:
        """Two things in dataset order as they were shown, or two as shown in dataset order."""
        return (second, first) if self is Order.SWAPPED else (first, second)

    def turn(self, side: Preference | str) -> Preference:
        """A judgment relative to dataset order in the shown order, or the other way round.

        Raises:
            ValueError: ``side`` is no preference.
        """
        side = Preference(side)
        return _OPPOSITE[side] if self is Order.SWAPPED else side


_OPPOSITE = {Preference.FIRST: Preference.SECOND, Preference.SECOND: Preference.FIRST, Preference.TIE: Preference.TIE}


class OrderPolicy(StrEnum):
    """How a run chooses the shown order of each pair."""

    DATASET = "dataset"
    SHUFFLED = "shuffled"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRef:
    """One medium, by its path as the dataset names it (relative to the data root, or absolute)."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A caption and two media in dataset order, with the recorded human preference.

    Attributes:
        key: Stable identity inside a dataset; the same content gives the same key everywhere.
        index: 0-based row in the dataset's file order.
        preference: Relative to dataset order.
    """

    key: str
    index: int
    kind: MediaKind
    prompt: str
    first: MediaRef
    second: MediaRef
    preference: Preference

    def shown(self, order: Order) -> ShownPair:
        """This pair as a judge sees it in ``order``."""
        first, second = order.arrange(self.first, self.second)
        return ShownPair(
            pair_key=self.key,
            index=self.index,
            kind=self.kind,
            prompt=self.prompt,
            order=order,
            first=first,
            second=second,
            preferred=order.turn(self.preference),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPair:
    """A pair in the order the judge saw it. Everything the judge says is about this order.

    Attributes:
        preferred: The human preference relative to ``first`` and ``second`` above.
    """

    pair_key: str
    index: int
    kind: MediaKind
    prompt: str
    order: Order
    first: MediaRef
    second: MediaRef
    preferred: Preference


def pair_key(kind: MediaKind, prompt: str, first: str, second: str) -> str:
    """Identity of a pair: 128 bits of SHA-256 over its caption and its two paths.

    The two paths are hashed in sorted order, so that a file which lists the same pair once as
    (a, b) and once as (b, a) is seen to hold a duplicate.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.sha256()
    low, high = sorted((first, second))
    for part in (kind.value, prompt, low, high):
        data = part.encode("utf-8", "surrogatepass")
        # Length first, so that no two different tuples share one byte string.
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:32]


def shuffled_order(seed: int, key: str) -> Order:
    """The shown order of one pair under ``--order shuffled``.

    A fair coin drawn from the seed and the pair's key alone: the same on every machine, for every
    subset of the dataset, and at every resume.
    """
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return Order.SWAPPED if digest[0] & 1 else Order.DATASET


def shown_orders(policy: OrderPolicy, seed: int, key: str) -> tuple[Order, ...]:
    """Every order in which a run with ``policy`` shows the pair ``key``."""
    if policy is OrderPolicy.BOTH:
        return (Order.DATASET, Order.SWAPPED)
    if policy is OrderPolicy.SHUFFLED:
        return (shuffled_order(seed, key),)
    return (Order.DATASET,)
