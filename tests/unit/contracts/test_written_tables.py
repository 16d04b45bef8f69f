"""Tables of what is registered are those of the registries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.write_tables import ROOT, TABLES, pages, written


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_page_has_its_tables_as_the_registries_have_them(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert written(text) == text, "run `make docs`"


def test_every_table_stands_somewhere() -> None:
    named = {
        name for page in pages() for name in re.findall(r"<!-- table: (\w+) -->", page.read_text(encoding="utf-8"))
    }
    assert named == set(TABLES)


def test_the_readme_names_no_source_or_format_in_a_list_of_its_own() -> None:
    text = re.sub(r"<!-- table: .*?<!-- end -->", "", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"`hpdv3`, |, `pairs`|`parquet`, |`jsonl`|`scripted`", text)
