"""Texts in the forms of public judges, each with the reading that a careful person gives it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.domain.pairs import MediaKind
from backend.domain.reading import parse_verdict
from backend.domain.reading.answers import statements_of
from backend.domain.reading.rules import RULES, Rule

HERE = Path(__file__).parent
CASES = [
    pytest.param(json.loads(line), id=f"{name}-{number}")
    for name in ("public", "own", "adverse")
    for number, line in enumerate((HERE / f"{name}.jsonl").read_text("utf-8").splitlines(), start=1)
]


@pytest.mark.parametrize("case", CASES)
def test_a_text_is_read_as_a_careful_person_reads_it(case: dict[str, Any]) -> None:
    verdict = parse_verdict(case["text"], MediaKind(case["medium"]))
    answer = verdict.answer.value if verdict.answer else None
    also = [None if right == "null" else right for right in case.get("also_right", [])]
    assert answer in [case["answer"], *also]
    if case["dims"] is not None:
        rows = {row.name.lower(): [row.first, row.second] for row in verdict.dimensions}
        assert rows == case["dims"]
    if case.get("flaws") is not None:
        assert sorted(verdict.flaws) == case["flaws"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_reads_its_example(rule: Rule) -> None:
    (statement,) = statements_of(rule.example)
    assert (statement.rule, statement.says) == (rule.name, rule.says)
