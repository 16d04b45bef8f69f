"""Deciding which predictions of a run are accepted, during a run and again afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection

from backend.domain.filtering import Candidate, Policy, decide_pair
from backend.domain.verdict import Flaw, flaw_mask, repeated_threshold
from backend.store.database import Database
from backend.store.predictions import Judged, Predictions

_REPEATED = flaw_mask(frozenset({Flaw.REPEATED_REASONING}))
# A ruling that settles the matter by itself; the filter's decision no longer counts.
_SETTLED = frozenset({"accept", "reject", "relabel"})


def decide(policy: Policy, judged: Iterable[Judged]) -> list[Judged]:
    """Apply ``policy`` to verdicts ordered by pair; returns those that changed, updated."""
    changed = []
    for _, group in groupby(judged, key=attrgetter("pair_id")):
        members = list(group)
        candidates = [
            Candidate(
                order=item.order,
                sample=item.sample,
                answer=item.answer,
                preferred=item.preferred,
                margin=item.margin,
                flaws=item.flaws,
            )
            for item in members
        ]
        for item, decision in zip(members, decide_pair(policy, candidates), strict=True):
            word = "accepted" if decision.accepted else "rejected"
            effective = item.effective if item.ruling in _SETTLED else word
            if (word, decision.reason, effective) != (item.decision, item.reason, item.effective):
                item.decision, item.reason, item.effective = word, decision.reason.value, effective
                changed.append(item)
    return changed


def decide_pairs(
    connection: Connection,
    predictions: Predictions,
    run_id: int,
    policy: Policy,
    pair_ids: Iterable[int],
) -> None:
    """Decide some pairs of a run anew, all their predictions together."""
    judged = predictions.judged_of(connection, run_id, pair_ids)
    predictions.decide(connection, decide(policy, judged))


def redecide(database: Database, run_id: int, policy: Policy, pairs: int) -> int:
    """Decide a whole run under ``policy``, in one transaction and without inference.

    This is also where reasoning that repeats over many pairs is marked, because only the whole run
    shows it.

    Args:
        pairs: Pairs of the run; how often reasoning may repeat depends on it.

    Returns:
        How many predictions have another decision, or another flaw, than before.
    """
    predictions = Predictions(database)
    count = 0
    with database.write() as connection:
        repeated = predictions.repeated_reasoning(connection, run_id, repeated_threshold(pairs))
        for page in predictions.iter_judged(connection, run_id):
            marked = []
            for item in page:
                flaws = item.flaws & ~_REPEATED
                if item.reasoning_hash in repeated:
                    flaws |= _REPEATED
                if flaws != item.flaws:
                    item.flaws = flaws
                    marked.append(item)
            changed = {item.prediction_id: item for item in marked}
            changed.update((item.prediction_id, item) for item in decide(policy, page))
            predictions.decide(connection, list(changed.values()))
            count += len(changed)
        predictions.set_policy(connection, run_id, policy.to_mapping())
    return count
