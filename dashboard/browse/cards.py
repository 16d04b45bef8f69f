"""What a result shows: plain words and signed thumbnails."""

from __future__ import annotations

from typing import Any

from backend.domain.pairs import MediaKind
from backend.domain.prompts import noun
from backend.domain.verdict import flaws_of
from backend.store.browse import Hit
from dashboard.media import Side, sign
from dashboard.session import session_id
from dashboard.text import clean

REASONS = {
    "agrees": "agrees",
    "disagrees": "disagrees",
    "tie": "recorded tie",
    "said_tie": "said tie",
    "unreadable": "unreadable",
    "low_margin": "low margin",
    "flawed": "flawed",
    "samples_disagree": "samples disagree",
    "order_inconsistent": "order flips",
    "order_missing": "one order only",
    "not_chosen": "another was kept",
    "undecided": "undecided",
}
_RULINGS = {"accept": "accepted", "reject": "rejected", "relabel": "relabelled", "flag": "flagged"}


def cards(hits: list[Hit]) -> list[dict[str, Any]]:
    """Results as the grid component draws them; sides are in shown order."""
    session = session_id() or ""
    return [_card(hit, session) for hit in hits]


def _card(hit: Hit, session: str) -> dict[str, Any]:
    word = noun(MediaKind(hit.kind))
    sides: tuple[Side, Side] = (
        ("first", "second") if hit.order == "dataset" else ("second", "first")
    )
    number = {"first": "1", "second": "2", "tie": "tie", None: "none"}
    ruled = _RULINGS.get(hit.ruling or "", "")
    by = f"{ruled} by {clean(hit.reviewer, 40)}" if ruled else ""
    reason = REASONS.get(hit.reason, hit.reason)
    margin = "" if hit.margin is None else f"{hit.margin:+g}"
    flaws = len(flaws_of(hit.flaws))
    facts = [f"by {margin}" if margin else "no scores"]
    if flaws:
        facts.append(f"{flaws} flaw{'s' if flaws > 1 else ''}")
    return {
        "id": hit.id,
        "noun": word,
        "thumbs": [sign(session, hit.pair_id, side, 320) for side in sides],
        "caption": clean(hit.prompt, 240),
        "answer": hit.answer,
        "preferred": hit.preferred,
        "state": "flagged" if hit.ruling == "flag" else hit.effective,
        "decision": by or f"{hit.effective}, {reason}",
        "facts": " · ".join(facts),
        "run": str(hit.run_id),
        "said": number[hit.answer],
        "wanted": number[hit.preferred],
        "margin": margin,
        "ruling": by,
        "flaws": str(flaws or ""),
    }
