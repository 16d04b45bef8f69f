"""Tokens of rulings: what makes sure that one is stored once, however often it is sent."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from typing import Any


def digest(parts: Sequence[Any]) -> str:
    """A token that is the same for the same content."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def new_token() -> str:
    """A token for a ruling whose client gave none."""
    return secrets.token_hex(16)


def act_token(token: str) -> str:
    """What the tokens of an act's rows begin with; the prediction's id follows."""
    return f"act-{digest([token])[:32]}:"


def row_token(run_id: int, review_id: int, created_at: float) -> str:
    """The token of a ruling that an older Winnow stored without one: always the same."""
    return digest(["review", run_id, review_id, created_at])


def token_in(run_id: int, token: str) -> str:
    """The token under which another run's ruling is stored when it is imported into this one."""
    return digest(["run", run_id, token])
