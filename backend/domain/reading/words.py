"""Pieces of patterns that the readers of a judge's text share: numbers, and the words around scores.

None has groups, and all are for patterns that ignore case.
"""

from __future__ import annotations

NUMBER = r"[0-9]{1,4}(?:\.[0-9]{1,3})?"
"""A score or a sum of scores."""

PLAIN_SCORE = r"[0-9]{1,3}(?:\.[0-9]{1,2})?"
"""A score that only its place makes one: "score of 8"."""

SHORT_SCORE = r"[0-9]{1,2}(?:\.[0-9]{1,2})?"
"""A score in brackets: "(8)"."""

OUT_OF = r"(?:/|out\sof)"
"""What stands between a score and its scale."""

SCORE = rf"[(\[]?{NUMBER}\s?{OUT_OF}\s?10(?![0-9])"
"""A score with its scale: "8/10", "(8 out of 10"."""

RATING = r"(?:scores?|ratings?)"

POSSESSIVE = r"['’]s"
"""Behind a side's name: "Image 1's"."""

SCALE_BEHIND = rf"(?:\s?\((?:[^|)0-9]{{0,20}}|(?:1\s?[-–]|{OUT_OF})\s?10)\))?"
"""Brackets behind a heading that hold no score: "(1-10)", "(left)"."""
