"""What a ruling does, by the cases that the viewer's script is tested with too (tests/scripts)."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

from backend.domain.pairs import Order, Preference
from backend.domain.rulings import Ruling, effective_decision, why_not_trainable

FILE = Path(__file__).resolve().parents[2] / "scripts" / "rulings.json"
CASES: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text(encoding="utf-8"))
ANSWERS = (*Preference, None)


def test_the_effective_decision_is_that_of_every_case() -> None:
    for case in CASES["effective"]:
        found = effective_decision(case["decision"], case["answer"], case["ruling"], case["relabel"])
        assert found == case["effective"], case


def test_the_cases_leave_no_ruling_out() -> None:
    said = [(None, None), *((one, None) for one in Ruling if one not in (Ruling.RELABEL, Ruling.UNDO))]
    said += [(Ruling.RELABEL, side) for side in Preference]
    wanted = {(*one, *two) for one, two in product(product(("accepted", "rejected"), ANSWERS), said)}
    assert {(c["decision"], c["answer"], c["ruling"], c["relabel"]) for c in CASES["effective"]} == wanted


def test_only_an_answer_that_names_a_better_side_trains() -> None:
    assert {case["answer"]: case["trains"] for case in CASES["trains"]} == {
        answer: why_not_trainable(answer) is None for answer in ANSWERS
    }


def test_the_sides_of_every_order_are_arranged_as_in_the_cases() -> None:
    assert {case["order"]: tuple(case["shown"]) for case in CASES["sides"]} == {
        order: order.arrange("first", "second") for order in Order
    }
