"""Names of sources, formats and engines stand in the file that declares each, and in its registry."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.datasets.registry import SOURCES
from backend.engines.registry import ENGINES
from backend.export.formats import FORMATS
from backend.extensions import Registry

ROOT = Path(__file__).parents[3]
REGISTRIES: tuple[Registry[object], ...] = (SOURCES, FORMATS, ENGINES)
NAMES = {name for registry in REGISTRIES for name in registry._built_in}
DECLARED = {
    "backend/datasets/registry.py",
    "backend/export/formats/__init__.py",
    "backend/engines/registry.py",
    *(f"{place.partition(':')[0].replace('.', '/')}.py" for one in REGISTRIES for place in one._built_in.values()),
}
WORDS = {
    # A count, a table and a tab of pages.
    "pairs",
    # The name of a trainer, too.
    "lightrft",
}
"""Names that are words of their own: only the code that chooses by name is looked at, for a person."""
KNOWN = {
    # The demo makes files of two sources, and judges with the engine whose judge is shipped.
    ("backend/demo/steps.py", "hpdv3"),
    ("backend/demo/steps.py", "rapidata-t2v"),
    ("backend/demo/steps.py", "transformers"),
    ("backend/demo/judge.py", "transformers"),
    ("backend/cli/demo.py", "transformers"),
    # Packages of these names.
    ("backend/cli/doctor.py", "transformers"),
    ("backend/cli/doctor.py", "vllm"),
    ("backend/training/local/trainer.py", "transformers"),
    ("backend/training/lightrft/versions.py", "transformers"),
    # The options of all engines say whose they are.
    ("backend/engines/base.py", "openai"),
    ("backend/engines/base.py", "scripted"),
    # The loop starts and asks servers of this engine's kind itself; `vllm serve` is a program.
    ("backend/cli/loop.py", "openai"),
    ("backend/cli/loop.py", "vllm"),
    ("backend/loop/serving.py", "openai"),
    ("backend/loop/serving.py", "vllm"),
    # LightRFT's own name for its rows.
    ("backend/training/lightrft/rows.py", "imagegen-cot-reward-5k"),
    # Programs that are known by a command of theirs, with the format in which they read sets.
    ("backend/training/programs.py", "sharegpt-frames"),
}


def literals(file: Path) -> Iterator[str]:
    """The texts in a file that are no docstrings, and what their formatting leaves."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    said = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def found() -> set[tuple[str, str]]:
    """(file, name) of each text that is a name, or lists one among other words."""
    hits = set()
    for folder in ("backend", "dashboard", "pages"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            where = file.relative_to(ROOT).as_posix()
            for text in literals(file) if where not in DECLARED else ():
                hits |= {(where, name) for name in NAMES - WORDS if names(text, name)}
    return hits


def names(text: str, name: str) -> bool:
    """Whether a text holds the name as a word."""
    return bool(re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", text))


def test_no_other_file_of_the_product_names_an_extension() -> None:
    assert found() - KNOWN == set()


def test_every_exception_is_one() -> None:
    assert KNOWN - found() == set()


@pytest.mark.parametrize("text", ["hpdv3", "such as hpdv3:/data/x.json", "lightrft, hpdv3, pairs"])
def test_a_name_is_found_alone_before_a_path_and_in_a_list(text: str) -> None:
    assert names(text, "hpdv3")
