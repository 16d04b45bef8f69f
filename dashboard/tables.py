"""Tables of the pages, which Streamlit lets a person download as CSV or copy into a spreadsheet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

# What a spreadsheet takes for a formula, also behind quotes and spaces; a number is none.
_FORMULA = re.compile(r"[\s'\"]*[=+\-@＝＋－＠](?=.)|[\t\r\n]")
_NUMBER = re.compile(r"[+\-]?[0-9][0-9.,   ]*(?:e[+\-]?[0-9]+)?\s*%?", re.IGNORECASE)


def table(rows: Any, **options: Any) -> None:
    """``st.dataframe`` of rows or of a frame, for values that come from anywhere.

    The browser writes the CSV of a table from the values that it shows, so a text that a spreadsheet
    would run as a formula gets an apostrophe in front of it: there and in the download.

    Args:
        rows: As ``st.dataframe`` takes them.
        options: Of ``st.dataframe``.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(_listed(rows))
    frame = frame.rename(columns=no_formula).map(no_formula)
    st.dataframe(frame, **options)


def _listed(rows: Any) -> Any:
    return rows if isinstance(rows, Mapping) else list(rows)


def no_formula(value: Any) -> Any:
    """``value``, with an apostrophe in front of a text that a spreadsheet would run."""
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"
