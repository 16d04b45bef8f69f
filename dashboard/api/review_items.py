"""An item as JSON for the pair viewer. Every side in it is one of the shown order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from backend.domain.pairs import MediaKind, Order
from backend.domain.reading import explain, flaws_of
from backend.domain.reading.pieces import read_pieces
from backend.store.items import Item, Sibling
from backend.store.suspects import Vote
from dashboard.media import SIDES, sign

LONGEST_TEXT = 24_000
"""Characters sent ahead of a look; the rest comes when somebody asks for it."""
LONGEST_PROMPT = 8_000


def item_json(
    item: Item, session: str, *, hide_others: bool, waiting: Collection[int] = (), whole: bool = False
) -> dict[str, Any]:
    """What the viewer needs to draw one prediction.

    Args:
        session: The browser session that the links to the media are for.
        hide_others: Leave out what other reviewers have ruled.
        waiting: Other samples and orders whose verdict the reviewer must not know yet.
        whole: Send the text whole, however long, and which rule read what in it.
    """
    text = item.text if whole else item.text[:LONGEST_TEXT]
    prompt = item.prompt if whole else item.prompt[:LONGEST_PROMPT]
    flaws = flaws_of(item.flaws)
    pieces = read_pieces(text, MediaKind(item.kind), flaws)
    return {
        **_open_part(item, session),
        "prompt": prompt,
        "order": item.order,
        "pieces": [[piece.text, piece.about, list(piece.flaws)] for piece in pieces],
        "length": len(item.text),
        "cut": len(text) < len(item.text) or len(prompt) < len(item.prompt),
        "flaws": sorted(flaws),
        "answer": item.answer,
        "preferred": item.preferred,
        "margin": item.margin,
        "scores": item.scores,
        "read_by": [list(step) for step in explain(text)] if whole else None,
        "decision": item.decision,
        "reason": item.reason,
        "effective": item.decision if hide_others else item.effective,
        "ruling": None if hide_others else item.ruling,
        "relabel": None if hide_others else item.relabel,
        "reviewer": None if hide_others else item.reviewer,
        "siblings": [_sibling(one, hide_others, one.id in waiting) for one in item.siblings],
    }


def blind_json(item: Item, session: str, *, held_by: int | None = None, seen: bool = False) -> dict[str, Any]:
    """One prediction for somebody who must rule before they know judge and label.

    The order is left out too: many datasets keep the better one first, so it would tell the label.

    Args:
        held_by: The blind queue in which it waits for them, where that is another one.
        seen: They have ruled on it before, and taken that back: what they say now is not blind.
    """
    return {
        **_open_part(item, session),
        "prompt": item.prompt[:LONGEST_PROMPT],
        "withheld": True,
        "held_by": held_by,
        "seen": seen,
    }


def why_json(votes: Sequence[Vote]) -> dict[str, Any]:
    """The answers that make a label suspect: in all, and by run with how sure they were.

    ``lead`` is the mean margin of the run's answers against the label, ``None`` without scores.
    """
    rows = []
    for run_id, some in groupby(votes, key=lambda vote: vote.run_id):
        mine = list(some)
        against = [vote for vote in mine if vote.against]
        margins = [vote.margin for vote in against if vote.margin is not None]
        rows.append(
            {
                "run": run_id,
                "model": mine[0].model.rstrip("/").rsplit("/", 1)[-1],
                "answers": len(mine),
                "against": len(against),
                "orders": len({vote.order for vote in against}),
                "lead": sum(margins) / len(margins) if margins else None,
            }
        )
    return {"answers": len(votes), "against": sum(vote.against for vote in votes), "runs": rows}


def _open_part(item: Item, session: str) -> dict[str, Any]:
    first, second = Order(item.order).arrange(*SIDES)
    return {
        "prediction": item.id,
        "run": item.run_id,
        "pair": item.pair_id,
        "model": item.model,
        "index": item.index,
        "kind": item.kind,
        "sample": item.sample,
        "first": sign(session, item.pair_id, first),
        "second": sign(session, item.pair_id, second),
    }


def _sibling(one: Sibling, hide_others: bool, waits: bool) -> dict[str, Any]:
    hidden = {"answer": None, "effective": None} if waits else {}
    return {**asdict(one), **({"effective": None} if hide_others else {}), **hidden}
