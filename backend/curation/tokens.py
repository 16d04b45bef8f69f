"""Tokens of rulings: what makes sure that one is stored once, however often it is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any


def digest(parts: Sequence[Any]) -> str:
    """A token that is the same for the same content."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def act_token(token: str) -> str:
    """What the tokens of an act's rows begin with; the prediction's id follows."""
    return f"act-{digest([token])[:32]}:"


def row_token(run_id: int, review_id: int, token: str | None, created_at: float) -> str:
    """The token under which a stored ruling leaves the workspace; one without gets its own."""
    return token or digest(["review", run_id, review_id, created_at])
