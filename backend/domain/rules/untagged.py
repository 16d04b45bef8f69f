"""Answers that stand in no tag."""

from __future__ import annotations

from typing import Literal

from backend.domain.reading import ANSWER_FORM, Flaw, flaw_mask
from backend.domain.rules.base import Rule, RuleOptions
from backend.domain.rules.flaws import FLAWED, refusing
from backend.options import option

_REFUSED = {"single": flaw_mask({Flaw.QUALIFIED_ANSWER}), "all": 0, "none": flaw_mask(ANSWER_FORM)}


class _Options(RuleOptions):
    untagged_answers: Literal["single", "all", "none"] = option(
        "single",
        "Of answers that stand in no tag, those are taken that are the single and unqualified statement of "
        "their text, all that can be read, or none",
        when="none for a judge that was trained on the tag; all to take what is said in passing",
        group="Text",
        label="Answers outside of the answer tag are taken",
        names={
            "single": "where a single unqualified statement stands",
            "all": "wherever they can be read",
            "none": "never",
        },
    )


UNTAGGED = Rule(
    name="untagged",
    label="Untagged answers",
    purpose="Rejects answers outside of the answer tag, by how plainly they are said.",
    place=50,
    options=_Options,
    reasons=FLAWED,
    alone=lambda options: refusing(_REFUSED[options.untagged_answers]),
)
