"""A kind of queue: what the filter accepted although the judge was hardly sure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backend.curation.kinds.base import KindOptions, QueueKind
from backend.domain.browse import BrowseFilter
from backend.options import option
from backend.store.picks import Picks


class Options(KindOptions):
    margin: float = option(
        1.0, "By how much the answered side leads at most", when="raise it to see more", group="Scores", ge=0
    )


def least_sure(picks: Picks, runs: Sequence[int], options: Options) -> Iterable[int]:
    return picks.matching(runs, BrowseFilter(decision="accepted", margin_max=options.margin, sort="margin"))


LEAST_SURE = QueueKind(
    name="least_sure",
    label="Accepted, narrow margin",
    purpose="The judge was hardly sure; least sure first.",
    nothing="try a larger margin",
    pick=least_sure,
    options=Options,
)
