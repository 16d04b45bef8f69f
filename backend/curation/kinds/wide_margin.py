"""What the filter rejected although the judge was sure: its mistake, or the label's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backend.curation.kinds.base import KindOptions, QueueKind
from backend.domain.browse import BrowseFilter
from backend.options import option
from backend.store.picks import Picks


class _Options(KindOptions):
    margin: float = option(
        3.0,
        "By how much the total of the answered side leads",
        when="lower it to see more of them",
        group="Scores",
        label="Margin of at least",
        step=0.5,
        ge=0,
    )


def _pick(picks: Picks, runs: Sequence[int], options: _Options) -> Iterable[int]:
    surest = BrowseFilter(decision="rejected", reason=("disagrees",), margin_min=options.margin, sort="-margin")
    return picks.matching(runs, surest)


WIDE_MARGIN = QueueKind(
    name="wide_margin",
    label="Rejected, wide margin",
    purpose="The judge was sure and contradicts the label; surest first.",
    nothing="try a smaller margin",
    pick=_pick,
    options=_Options,
)
