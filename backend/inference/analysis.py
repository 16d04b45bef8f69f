"""What a finished run teaches: accuracy, where it is lost, and how far position decides.

The database adds up; this module names the sums. What was added up is kept as a small file in the
workspace's cache, because a run of a million predictions takes the database some seconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json
from backend.domain.pairs import Order
from backend.domain.reading import Flaw, flaws_of
from backend.domain.statistics import wilson_interval
from backend.files import write_json
from backend.store.analysis import CAPTION_LENGTHS, AnalysisRows, Group
from backend.store.database import Database
from backend.store.runs import RunRow, Runs

log = logging.getLogger(__name__)

_FORMAT = 1  # of the kept file


@dataclass(frozen=True, slots=True)
class Share:
    """A share that was counted."""

    count: int
    n: int

    @property
    def value(self) -> float | None:
        return self.count / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, 95 %."""
        return wilson_interval(self.count, self.n)


@dataclass(frozen=True)
class Analysis:
    """Everything that the pages draw of one run. Sides are relative to the shown order.

    Attributes:
        groups: See :class:`backend.store.analysis.Group`.
        exact: Margins in ``groups`` are those of the predictions, not rounded to whole numbers.
        caption_lengths: ``(bucket, readable, right)``.
        both_orders: ``(answer in dataset order, answer in swapped order, pairs and samples)``.
        dimensions: ``(name, agree, disagree, equal)``.
    """

    groups: tuple[Group, ...]
    exact: bool
    caption_lengths: tuple[tuple[int, int, int], ...]
    both_orders: tuple[tuple[str | None, str | None, int], ...]
    dimensions: tuple[tuple[str, int, int, int], ...]

    @property
    def predictions(self) -> int:
        return sum(group.n for group in self.groups)

    @cached_property
    def confusion(self) -> Counter[tuple[str, str | None]]:
        """``(human preference, judge's answer)`` to predictions; ``None`` is unreadable."""
        counts: Counter[tuple[str, str | None]] = Counter()
        for group in self.groups:
            counts[group.preferred, group.answer] += group.n
        return counts

    @property
    def accuracy(self) -> Share:
        """Readable answers that agree with the human, of those to pairs without a tie."""
        return self._share(self.groups)

    @property
    def unreadable(self) -> Share:
        return Share(sum(group.n for group in self.groups if group.answer is None), self.predictions)

    def accuracy_when_better_was(self) -> dict[str, Share]:
        """Accuracy where the better medium was shown first, and where it was shown second."""
        return {
            side: self._share(group for group in self.groups if group.preferred == side) for side in ("first", "second")
        }

    @property
    def first_shown_wins(self) -> Share:
        """How often the first-shown side is named, of all answers that name a side."""
        first = sum(group.n for group in self.groups if group.answer == "first")
        second = sum(group.n for group in self.groups if group.answer == "second")
        return Share(first, first + second)

    @property
    def first_shown_better(self) -> Share:
        """How often the human prefers the first-shown side: what an unbiased judge comes near to."""
        named = [group for group in self.groups if group.answer in ("first", "second")]
        first = sum(group.n for group in named if group.preferred == "first")
        return Share(first, first + sum(group.n for group in named if group.preferred == "second"))

    @property
    def flips(self) -> Share:
        """Pairs and samples judged readably in both orders whose winner changed with the order."""
        readable = [(d, s, n) for d, s, n in self.both_orders if d and s]
        return Share(sum(n for d, s, n in readable if Order.SWAPPED.turn(s) != d), sum(n for _, _, n in readable))

    @property
    def flips_to_first(self) -> Share:
        """Of those flips that name a side both times, the ones that named the first-shown side."""
        first = sum(n for d, s, n in self.both_orders if d == s == "first")
        second = sum(n for d, s, n in self.both_orders if d == s == "second")
        return Share(first, first + second)

    def flaws(self) -> list[tuple[Flaw, int, Share]]:
        """Each flaw that occurs, how often, and the accuracy of the answers that have it."""
        found: dict[Flaw, list[Group]] = {}
        for group in self.groups:
            for flaw in flaws_of(group.flaws):
                found.setdefault(flaw, []).append(group)
        rows = [(flaw, sum(group.n for group in groups), self._share(groups)) for flaw, groups in found.items()]
        return sorted(rows, key=lambda row: -row[1])

    def margins(self) -> dict[bool, Counter[int]]:
        """Margins rounded to whole numbers, of right (``True``) and wrong answers."""
        counts: dict[bool, Counter[int]] = {True: Counter(), False: Counter()}
        for group in self.groups:
            if group.margin is None or group.answer is None or group.preferred == "tie":
                continue
            # Scores run from 1 to 10; what lies outside is a judge that cannot count.
            margin = round(max(-30.0, min(30.0, group.margin)))
            counts[group.answer == group.preferred][margin] += group.n
        return counts

    def by_caption_length(self) -> list[tuple[str, Share]]:
        """Accuracy by the caption's number of characters."""
        names = [f"under {CAPTION_LENGTHS[0]}"]
        names += [f"{low} to {high - 1}" for low, high in pairwise(CAPTION_LENGTHS)]
        names.append(f"{CAPTION_LENGTHS[-1]} and more")
        return [(names[place], Share(right, n)) for place, n, right in self.caption_lengths if n]

    def by_dimension(self) -> list[tuple[str, Share, int]]:
        """How often each dimension alone puts the better side in front, and how often it puts
        neither."""
        return [(name, Share(yes, yes + no), equal) for name, yes, no, equal in self.dimensions]

    @staticmethod
    def _share(groups: Iterable[Group]) -> Share:
        right = n = 0
        for group in groups:
            if group.answer is not None and group.preferred != "tie":
                n += group.n
                right += group.n if group.answer == group.preferred else 0
        return Share(right, n)


def analyse(database: Database, folder: Path, run: RunRow, *, keep: bool = True) -> Analysis:
    """Add a run up, or take what was added up before.

    Args:
        folder: The workspace's.
        keep: False for a run that is still going: the file would be old at once.
    """
    count = Runs(database).prediction_count(run.id)
    path = folder / "cache" / "analysis" / f"run-{run.id}-{_mark(run, count)}.json"
    if keep and (kept := _read(path)):
        return kept
    rows = AnalysisRows(database)
    groups = rows.groups(run.id)
    exact = groups is not None
    found = Analysis(
        groups=tuple(rows.coarse_groups(run.id) if groups is None else groups),
        exact=exact,
        caption_lengths=tuple(rows.by_caption_length(run.id)),
        both_orders=_both_orders(rows, run.id, groups or ()),
        dimensions=tuple(rows.by_dimension(run.id)),
    )
    if keep:
        _keep(path, found)
    return found


def _both_orders(
    rows: AnalysisRows, run_id: int, groups: Sequence[Group]
) -> tuple[tuple[str | None, str | None, int], ...]:
    if groups and len({group.shown_order for group in groups}) < 2:
        return ()
    return tuple(rows.both_orders(run_id))


def _mark(run: RunRow, count: int) -> str:
    """Changes with everything that a kept analysis depends on."""
    decided = run.progress.get("decided")
    known = json.dumps([_FORMAT, count, run.policy, run.created_at, decided], sort_keys=True)
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def _read(path: Path) -> Analysis | None:
    try:
        kept: dict[str, Any] = load_json(path.read_text(encoding="utf-8"))
        return Analysis(
            groups=tuple(Group(*row) for row in kept["groups"]),
            exact=bool(kept["exact"]),
            caption_lengths=tuple((a, b, c) for a, b, c in kept["caption_lengths"]),
            both_orders=tuple((a, b, c) for a, b, c in kept["both_orders"]),
            dimensions=tuple((a, b, c, d) for a, b, c, d in kept["dimensions"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning("%s cannot be used and is made again: %s", path, error)
        return None


def _keep(path: Path, found: Analysis) -> None:
    """Keep what was added up; a cache that cannot be written costs time and nothing else."""
    try:
        for old in path.parent.glob(f"{path.name.rsplit('-', 1)[0]}-*.json"):
            old.unlink(missing_ok=True)
        write_json(
            path,
            {
                "groups": found.groups,
                "exact": found.exact,
                "both_orders": found.both_orders,
                "caption_lengths": found.caption_lengths,
                "dimensions": found.dimensions,
            },
            sync=False,
        )
    except OSError as error:
        log.warning("%s cannot be kept: %s", path, error)
