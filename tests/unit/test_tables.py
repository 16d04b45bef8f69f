"""No table that a person downloads or copies holds a formula."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboard.tables import no_formula

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil.invalid")',
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "'=1",
        '"=1',
        "＝1+1",
        "\n=1",
        "-cmd",
        "+A1",
        "=1",
    ],
)
def test_a_text_that_a_spreadsheet_would_run_becomes_a_text(text: str) -> None:
    assert no_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", [-3.5, 0, None, True, "-3.5", "+1,234", "-12 %", "1e-3", "-1e-3", "a=b", "a, -b", "", "-", "–", "'quoted'"]
)
def test_numbers_and_plain_texts_stay_as_they_are(value: object) -> None:
    assert no_formula(value) is value


def test_every_table_of_the_pages_is_drawn_by_the_one_that_does_this() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}: {found[0]}"
        for folder in ("backend", "dashboard", "pages")
        for file in (ROOT / folder).rglob("*.py")
        if file.name != "tables.py"
        for found in re.finditer(
            r"st\.(?:dataframe|data_editor|table)\(|\.to_csv\(|csv\.writer|csv\.DictWriter",
            file.read_text(encoding="utf-8"),
        )
    ]
    assert wrong == []


def test_headers_and_cells_of_a_table_are_neutralised(tmp_path: Path) -> None:
    from streamlit.testing.v1 import AppTest

    script = tmp_path / "page.py"
    script.write_text(
        "from dashboard.tables import table\n"
        "table([{'=run': '=1+1', 'n': -3.5}, {'=run': 'fine', 'n': 2.0}], hide_index=True)\n"
    )
    test = AppTest.from_file(str(script)).run()
    assert not test.exception
    frame = test.dataframe[0].value
    assert list(frame.columns) == ["'=run", "n"]
    assert list(frame["'=run"]) == ["'=1+1", "fine"]
    assert list(frame["n"]) == [-3.5, 2.0]
