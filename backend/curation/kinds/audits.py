"""Random samples of what the filter accepted or rejected, to measure how often it is right."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence

from backend.curation.kinds.base import MOST_ITEMS, KindOptions, QueueKind
from backend.domain.browse import BrowseFilter, Decision
from backend.options import option
from backend.store.picks import Picks


class _Sample(KindOptions):
    size: int = option(
        200,
        "Predictions in the sample",
        when="more for a narrower interval",
        group="Sample",
        label="Sample size",
        ge=1,
        le=MOST_ITEMS,
    )
    seed: int = option(
        0,
        "The same seed draws the same sample of the same predictions",
        when="for another sample",
        label="Seed",
        group="Sample",
        ge=0,
        le=(1 << 31) - 1,
    )


def _audit(decision: Decision, purpose: str) -> QueueKind:
    def pick(picks: Picks, runs: Sequence[int], options: _Sample) -> Sequence[int]:
        # Eight bytes a prediction; and in random order, so that an audit may stop anywhere.
        ids = array("q", picks.matching(runs, BrowseFilter(decision=decision)))
        return random.Random(options.seed).sample(ids, min(options.size, len(ids)))

    return QueueKind(
        name=f"audit_{decision}",
        label=f"Random audit · {decision}",
        purpose=purpose,
        nothing=f"the filter {decision} nothing in these runs",
        pick=pick,
        options=_Sample,
        random=True,
    )


ACCEPTED = _audit("accepted", "A random sample measures how precise the accepted set is.")
REJECTED = _audit("rejected", "A random sample shows what the filter throws away.")
