"""What the pages for contributors name exists: files, what is in them, commands of the Makefile, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("CONTRIBUTING.md", "docs/architecture.md")
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_FILE = re.compile(r"[\w./-]+\.(py|js|ts|json|md|toml|sh)|[\w.-]+/[\w./-]*")


def missing(page: str, folder: Path = ROOT) -> Iterator[str]:
    """What a page names that there is not.

    A name in code stands for something in one of the files named in the same paragraph, item or row.
    """
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z][a-z-]+)", page):
        if not re.search(rf"^{target}:", makefile, re.MULTILINE):
            yield f"make {target}"
    for link in _LINK.findall(page):
        if "://" not in link and not (folder / link).exists():
            yield link
    for block in re.split(r"\n\s*\n|\n(?=\||- |\d+\. )", page):
        spans = _SPAN.findall(block)
        files = [one for one in spans if _FILE.fullmatch(one)]
        yield from (one for one in files if not (ROOT / one).exists())
        texts = [(ROOT / one).read_text(encoding="utf-8") for one in files if (ROOT / one).is_file()]
        for name in spans:
            if texts and name not in files and _NAME.fullmatch(name):
                parts = name.split(".")
                if not any(all(re.search(rf"\b{part}\b", text) for part in parts) for text in texts):
                    yield f"{name} in {', '.join(files)}"


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_names_exists(name: str) -> None:
    path = ROOT / name
    assert list(missing(path.read_text(encoding="utf-8"), path.parent)) == []


@pytest.mark.parametrize(
    "page",
    [
        "See `backend/domain/nothing.py`.",
        "See `backend/nothing/`.",
        "`Shown` of `backend/domain/pairs.py`",
        "| `backend/domain/pairs.py` | `Order.exchange` |",
        "[a page](nothing.md)",
        "run `make everything`",
    ],
)
def test_what_does_not_exist_is_found(page: str) -> None:
    assert list(missing(page))


@pytest.mark.parametrize(
    "page",
    [
        "`ShownPair` and `Order.arrange` of `backend/domain/pairs.py`",
        "a value like `first` or `--flag`, `None` where no file is named",
        "| `x` |\n| `backend/domain/pairs.py` |",
    ],
)
def test_what_exists_is_let_be(page: str) -> None:
    assert list(missing(page)) == []


def test_the_readme_leads_to_the_pages() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"]({name})" in readme for name in (*PAGES, "LICENSE"))
