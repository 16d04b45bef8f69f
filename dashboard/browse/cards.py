"""What a result shows: plain words and signed thumbnails."""

from __future__ import annotations

from typing import Any

from backend.domain.pairs import MediaKind, Order
from backend.domain.prompts import noun
from backend.domain.reading import flaws_of
from backend.store.blindness import Blindness
from backend.store.browse import Hit
from backend.store.database import Database
from dashboard.media import SIDES, sign
from dashboard.session import session_id
from dashboard.text import clean
from dashboard.words import BETTER, RULINGS, reason


def cards(database: Database, hits: list[Hit], reviewer: str) -> list[dict[str, Any]]:
    """Results as the grid component draws them; sides are in shown order.

    What waits for this reviewer in a blind queue says neither verdict nor label. That a filter on them
    found it still tells; a filter that left it out would tell as much, and miss what was asked for.
    """
    session = session_id() or ""
    held = Blindness(database).held_back(reviewer, [hit.id for hit in hits])
    return [_blind_card(hit, session, held[hit.id]) if hit.id in held else _card(hit, session) for hit in hits]


def _open_part(hit: Hit, session: str) -> dict[str, Any]:
    sides = Order(hit.order).arrange(*SIDES)
    return {
        "id": hit.id,
        "noun": noun(MediaKind(hit.kind)),
        "thumbs": [sign(session, hit.pair_id, side, 320) for side in sides],
        "caption": clean(hit.prompt, 240),
        "run": str(hit.run_id),
    }


def _blind_card(hit: Hit, session: str, queue: int) -> dict[str, Any]:
    why = f"blind in queue {queue}"
    empty = dict.fromkeys(("said", "wanted", "margin", "ruling", "flaws"), "")
    return {
        **_open_part(hit, session),
        **empty,
        "answer": None,
        "preferred": None,
        "state": "waiting",
        "decision": why,
        "filter": why,
        "facts": "rule on it first",
    }


def _card(hit: Hit, session: str) -> dict[str, Any]:
    number = {"first": "1", "second": "2", "tie": "tie", None: "none"}
    label = BETTER.get(hit.relabel or "", "")
    ruled = label or RULINGS.get(hit.ruling or "", "")
    seen = ", who had seen the verdict" if hit.unblinded else ""
    by = f"{ruled}{', says' if label else ' by'} {clean(hit.reviewer, 40)}{seen}" if ruled else ""
    margin = "" if hit.margin is None else f"{hit.margin:+g}"
    flaws = len(flaws_of(hit.flaws))
    facts = [f"margin {margin}" if margin else "no scores"]
    if flaws:
        facts.append(f"{flaws} flaw{'s' if flaws > 1 else ''}")
    return {
        **_open_part(hit, session),
        "answer": hit.answer,
        "preferred": hit.preferred,
        "state": "flagged" if hit.ruling == "flag" else hit.effective,
        "decision": by or f"{hit.effective}, {reason(hit.reason)}",
        "filter": f"{hit.decision}, {reason(hit.reason)}",
        "facts": " · ".join(facts),
        "said": number[hit.answer],
        "wanted": number[hit.preferred],
        "margin": margin,
        "ruling": by,
        "flaws": str(flaws or ""),
    }
