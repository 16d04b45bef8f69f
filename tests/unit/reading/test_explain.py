"""Which rule read what."""

from __future__ import annotations

from backend.domain.pairs import MediaKind
from backend.domain.reading import explain, parse_verdict

TEXT = """<think>
Aesthetics: Image 1 is warm (8/10); Image 2 is flat (6/10)
| Dimension | Image 1 | Image 2 |
|---|---|---|
| Mood | 7 | 5 |
</think>
<answer>Image 1 compared to Image 2 is better</answer>"""


def test_each_reading_is_told_with_its_rule_and_its_words() -> None:
    steps = explain(TEXT)
    told = {step.what: (step.rule, step.result) for step in steps}
    assert told["answer"] == ("is better", "first")
    assert told["Aesthetics"] == ("scores behind names", "score")
    assert told["Mood"] == ("table", "score")
    assert parse_verdict(TEXT, MediaKind.IMAGE).answer == "first"


def test_what_is_not_read_is_told_with_what_qualifies_it() -> None:
    steps = explain("<think>x</think><answer>Only the light of Image 2 is better</answer>")
    assert [(step.what, step.rule, step.result) for step in steps] == [
        ("answer", "none", "unreadable"),
        ("statement", "is better", "for a detail of the second"),
    ]


def test_an_untagged_answer_is_told_as_one() -> None:
    step = explain("<think>x</think>\nFinal verdict: [[B>A]]")[0]
    assert (step.what, step.rule, step.result) == ("untagged answer", "double brackets", "second")
