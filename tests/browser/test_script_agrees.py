"""What the viewer's script decides by itself is what the server decides."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

from playwright.sync_api import Page

from backend.domain.pairs import Order
from backend.domain.rulings import Ruling, effective_decision
from dashboard.components import pair_viewer

STANDING = (Path(pair_viewer.__file__).parent / "standing.js").read_text(encoding="utf-8")


def test_the_script_and_the_server_make_the_same_of_every_ruling_and_order(person: Callable[..., Page]) -> None:
    page = person()
    page.goto("about:blank")
    cases = list(
        product(
            ("accepted", "rejected"),
            ("first", "second", "tie", None),
            (None, *(ruling.value for ruling in Ruling if ruling not in (Ruling.NOTE, Ruling.UNDO))),
            ("first", "second", "tie", None),
        )
    )
    said = page.evaluate(
        f"(cases) => {{ {STANDING}\n return cases.map(([decision, answer, ruling, relabel]) =>"
        " effectiveDecision({ decision, answer }, ruling, relabel)); }",
        cases,
    )
    sensible = [(case, one) for case, one in zip(cases, said, strict=True) if _sensible(case)]
    assert len(sensible) > 40
    assert [one for _, one in sensible] == [effective_decision(*case) for case, _ in sensible]
    sides = page.evaluate(f"(orders) => {{ {STANDING}\n return orders.map(datasetSides); }}", list(Order))
    assert sides == [list(order.arrange("first", "second")) for order in Order]


def _sensible(case: tuple[str | None, ...]) -> bool:
    """A relabel says a side, and nothing else does."""
    return (case[2] == "relabel") == (case[3] is not None)
