"""Two runs over the same pairs: who is right where, and whether the difference can be chance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from backend.domain.statistics import mcnemar
from backend.errors import UsageError
from backend.inference.analysis import Share
from backend.store.comparisons import OUTCOMES, Comparisons, Said, outcome_of
from backend.store.database import Database
from backend.store.runs import RunRow


@dataclass(frozen=True)
class Comparison:
    """Two runs over the pairs both have judged.

    A run says of a pair what most of its predictions say, in dataset order. One that is of two
    minds, or unreadable, is not right.
    """

    said: tuple[Said, ...]

    @property
    def common(self) -> int:
        """Pairs that both have judged."""
        return sum(row.n for row in self.said)

    @cached_property
    def outcomes(self) -> dict[str, int]:
        """Pairs by :data:`~backend.store.analysis.OUTCOMES`; recorded ties are left out."""
        counts: Counter[str] = Counter()
        for row in self.said:
            outcome = outcome_of(row.a, row.b, row.preference)
            if outcome:
                counts[outcome] += row.n
        return {outcome: counts[outcome] for outcome in OUTCOMES}

    @property
    def compared(self) -> int:
        """Common pairs whose recorded preference is no tie."""
        return sum(self.outcomes.values())

    @property
    def accuracy_a(self) -> Share:
        return Share(self.outcomes["both_right"] + self.outcomes["only_a"], self.compared)

    @property
    def accuracy_b(self) -> Share:
        return Share(self.outcomes["both_right"] + self.outcomes["only_b"], self.compared)

    @property
    def p_value(self) -> float:
        """McNemar's exact test that the two are equally good."""
        return mcnemar(self.outcomes["only_a"], self.outcomes["only_b"])

    @cached_property
    def flips(self) -> dict[tuple[str, str], int]:
        """``(what A says, what B says)`` to pairs, where they differ; in dataset order."""
        counts: Counter[tuple[str, str]] = Counter()
        for row in self.said:
            if row.a != row.b:
                counts[row.a, row.b] += row.n
        return dict(counts)


def compare(database: Database, a: RunRow, b: RunRow) -> Comparison:
    """Compare two runs.

    Raises:
        UsageError: They are one run, or of different datasets.
    """
    if a.id == b.id:
        raise UsageError("a run cannot be compared with itself", hint="choose two runs")
    if a.dataset_id != b.dataset_id:
        raise UsageError(
            f"run {a.id} judged {a.dataset}, run {b.id} judged {b.dataset}", hint="choose two runs of one dataset"
        )
    return Comparison(tuple(Comparisons(database).said(a.id, b.id)))
