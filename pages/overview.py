"""Overview: the loop as a whole."""

from __future__ import annotations

from dashboard.page import page

with page("Overview"):
    pass
