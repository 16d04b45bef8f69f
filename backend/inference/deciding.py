"""Deciding which predictions of a run are accepted, during a run and again afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection

from backend.domain.filtering import Policy, decide_pair
from backend.domain.reading import Flaw, flaw_mask, repeated_threshold
from backend.domain.rulings import SETTLING
from backend.store.database import Database
from backend.store.deciding import Judged, judged_of, judged_page, repeated_reasoning, set_policy, write_decisions
from backend.store.together import write_again
from backend.store.unfinished import check_mark, clear_mark, refuse_while, set_mark

CHUNK = 400
"""Predictions that are written in one transaction; a reviewer waits for one of them at most."""
_REPEATED = flaw_mask(frozenset({Flaw.REPEATED_REASONING}))


def decide(policy: Policy, judged: Iterable[Judged]) -> list[Judged]:
    """Apply ``policy`` to verdicts ordered by pair; returns those that changed, updated."""
    changed = []
    for _, group in groupby(judged, key=attrgetter("pair_id")):
        members = list(group)
        for item, decision in zip(members, decide_pair(policy, members), strict=True):
            word = "accepted" if decision.accepted else "rejected"
            effective = item.effective if item.ruling in SETTLING else word
            if (word, decision.reason, effective) != (item.decision, item.reason, item.effective):
                item.decision, item.reason, item.effective = word, decision.reason, effective
                changed.append(item)
    return changed


def decide_pairs(connection: Connection, run_id: int, policy: Policy, pair_ids: Iterable[int]) -> None:
    """Decide some pairs of a run anew, all their predictions together."""
    judged = judged_of(connection, run_id, pair_ids)
    write_decisions(connection, decide(policy, judged))


def redecide(database: Database, run_id: int, policy: Policy, pairs: int, *, instead_of: str | None = None) -> int:
    """Decide a whole run under ``policy``, without inference and without keeping anybody waiting.

    The policy is recorded first, together with a mark; then each chunk of pairs is read and decided
    outside of any write transaction and written in a short one. What a crash leaves is marked, and
    ``Launcher.finish_deciding`` does it again: deciding twice gives the same. When another policy is
    applied meanwhile, this call stops, because that one goes over every pair.

    This is also where reasoning that repeats over many pairs is marked, because only the whole run
    shows it.

    Args:
        pairs: Pairs of the run; how often reasoning may repeat depends on it.
        instead_of: The attempt whose mark this one's takes the place of, being its last part.

    Returns:
        How many predictions have another decision, or another flaw, than before.

    Raises:
        RunError: Another policy was applied meanwhile, and stands; or the run's texts are being
            imported or parsed again, and are not all there yet.
    """
    attempt = secrets.token_hex(8)
    count, last = 0, -1

    def begin(connection: Connection) -> None:
        if instead_of is not None:
            check_mark(connection, run_id, instead_of)
        else:
            # Its mark would be lost under ours, and with it what is left to do.
            refuse_while(connection, run_id, "importing", "reparsing")
        set_policy(connection, run_id, policy.to_mapping())
        set_mark(connection, run_id, "deciding", attempt)

    write_again(database, begin, durable=True)
    with database.read() as connection:
        repeated = repeated_reasoning(connection, run_id, repeated_threshold(pairs))
    while True:
        with database.read() as connection:
            page = judged_page(connection, run_id, last, CHUNK)
        if not page:
            break
        last = page[-1].pair_id
        changed = _changed(policy, page, repeated)

        def write(connection: Connection, changed: list[Judged] = changed) -> None:
            check_mark(connection, run_id, attempt)
            write_decisions(connection, changed)
            set_mark(connection, run_id, "deciding", attempt)

        write_again(database, write)
        count += len(changed)

    def finish(connection: Connection) -> None:
        check_mark(connection, run_id, attempt)
        # Kept, so that whoever has counted before can see that the decisions may be others now.
        clear_mark(connection, run_id, decided=attempt)

    write_again(database, finish, durable=True)
    return count


def _changed(policy: Policy, page: list[Judged], repeated: set[int]) -> list[Judged]:
    """The verdicts of a page whose flaws or decision are others now."""
    changed: dict[int, Judged] = {}
    for item in page:
        flaws = item.flaws & ~_REPEATED
        if item.reasoning_hash in repeated:
            flaws |= _REPEATED
        if flaws != item.flaws:
            item.flaws = flaws
            changed[item.prediction_id] = item
    changed.update((item.prediction_id, item) for item in decide(policy, page))
    return list(changed.values())
