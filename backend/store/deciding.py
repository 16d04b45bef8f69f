"""What deciding reads of verdicts, and what it writes back. All of it runs inside the caller's
transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update

from backend.domain.rulings import SETTLING
from backend.store.locking import lock_verdicts
from backend.store.look_up import look_up
from backend.store.schema import runs, verdicts

_SETTLED = verdicts.c.ruling.in_(sorted(SETTLING))


@dataclass(slots=True)
class Judged:
    """The part of a verdict that deciding needs."""

    prediction_id: int
    pair_id: int
    order: str
    sample: int
    preferred: str
    answer: str | None
    margin: float | None
    flaws: int
    reasoning_hash: int | None
    decision: str
    reason: str
    ruling: str | None
    effective: str


_JUDGED = (
    verdicts.c.prediction_id,
    verdicts.c.pair_id,
    verdicts.c.shown_order,
    verdicts.c.sample,
    verdicts.c.preferred,
    verdicts.c.answer,
    verdicts.c.margin,
    verdicts.c.flaws,
    verdicts.c.reasoning_hash,
    verdicts.c.decision,
    verdicts.c.reason,
    verdicts.c.ruling,
    verdicts.c.effective,
)


def judged_of(connection: Connection, run_id: int, pair_ids: Iterable[int]) -> list[Judged]:
    """The verdicts on some pairs, those of one pair together."""
    found = look_up(connection, _JUDGED, verdicts.c.pair_id, pair_ids, run_id=run_id)
    rows = [Judged(*tuple(row)) for row in found]
    return sorted(rows, key=lambda row: (row.pair_id, row.prediction_id))


def iter_judged(connection: Connection, run_id: int, page: int = 50_000) -> Iterator[list[Judged]]:
    """The verdicts of a run in pages of whole pairs, ordered by pair."""
    last = -1
    while rows := judged_page(connection, run_id, last, page):
        last = rows[-1].pair_id
        yield rows


def judged_page(connection: Connection, run_id: int, after_pair: int, page: int) -> list[Judged]:
    """The verdicts on the whole pairs behind ``after_pair``, about ``page`` of them."""
    query = (
        select(*_JUDGED)
        .where(verdicts.c.run_id == run_id, verdicts.c.pair_id > after_pair)
        .order_by(verdicts.c.pair_id)
        .limit(page)
    )
    rows = [Judged(*tuple(row)) for row in connection.execute(query)]
    if len(rows) < page:
        return rows
    # The page may end inside a pair: leave that pair to the next page.
    cut = rows[-1].pair_id
    whole = [row for row in rows if row.pair_id != cut]
    return whole or judged_of(connection, run_id, [cut])


_WRITE = (
    update(verdicts)
    .where(verdicts.c.prediction_id.in_(bindparam("ids", expanding=True)))
    .values(
        decision=bindparam("d"),
        reason=bindparam("r"),
        flaws=bindparam("f"),
        effective=case((_SETTLED, verdicts.c.effective), else_=bindparam("d")),
    )
)


def write_decisions(connection: Connection, changed: Iterable[Judged]) -> None:
    """Write decision, reason, effective decision and flaws back.

    The effective decision only where no ruling settled the matter: one may have been recorded
    since the verdicts were read. Rows that become the same are written by one statement, of which
    there are few; a statement a row is mostly the cost of its parameters.
    """
    changed = list(changed)
    lock_verdicts(connection, [item.prediction_id for item in changed])
    alike: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for item in changed:
        alike[item.decision, item.reason, item.flaws].append(item.prediction_id)
    for (decision, reason, flaws), ids in alike.items():
        connection.execute(_WRITE, {"ids": ids, "d": decision, "r": reason, "f": flaws})


def repeated_reasoning(connection: Connection, run_id: int, threshold: int) -> set[int]:
    """Hashes of reasoning that stands on at least ``threshold`` different pairs."""
    query = (
        select(verdicts.c.reasoning_hash)
        .where(verdicts.c.run_id == run_id, verdicts.c.reasoning_hash.is_not(None))
        .group_by(verdicts.c.reasoning_hash)
        .having(func.count(verdicts.c.pair_id.distinct()) >= threshold)
    )
    return set(connection.execute(query).scalars())


def set_policy(connection: Connection, run_id: int, policy: dict[str, Any]) -> None:
    """Record the policy now in force."""
    connection.execute(update(runs).where(runs.c.id == run_id).values(policy=policy))
