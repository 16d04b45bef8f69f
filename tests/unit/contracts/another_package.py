"""The contracts over what an installed package adds: run with that package on the path.

Usage: ``python -m tests.unit.contracts.another_package FOLDER`` with a workspace in ``FOLDER/winnow-workspace``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backend.datasets.registry import SOURCES
from backend.engines.registry import ENGINES
from backend.export.formats import FORMATS
from tests.unit.contracts.checks import (
    Read,
    check_format,
    check_options,
    check_source,
    check_spec,
    check_words,
    new_judged,
)

ROOT = Path(__file__).parents[3]


def as_easyr1(folder: Path) -> list[tuple[list[str], str]]:
    rows = [json.loads(line) for file in folder.glob("winnow*.jsonl") for line in file.open()]
    return [(row["images"], f"<answer>{row['solution']}</answer>") for row in rows]


READERS: dict[str, Read] = {"grpo": as_easyr1}


def contracts(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for source in SOURCES.usable[len(SOURCES.own) :]:
            check_source(source, folder / source.name)
            check_spec(source, folder)
            check_options(source.options, ("dataset", "add"), patch, prefix=f"{source.name}_")
        for engine in ENGINES.usable[len(ENGINES.own) :]:
            check_words(engine)
        judged = new_judged(folder / "judged")
        for format in FORMATS.usable[len(FORMATS.own) :]:
            check_format(format, folder / format.name, judged, READERS[format.name])
            check_options(format.options, ("export",), patch, prefix=f"{format.name}_")
        judged.database.close()


def pages(folder: Path) -> None:
    """What the forms show."""
    os.environ["WINNOW_WORKSPACE"] = str(folder / "winnow-workspace")
    adding = opened("datasets")
    assert any(field.key == "add_votes_least" for field in adding.number_input)
    curate = opened("curate", set="bright@1")
    curate.selectbox(key="export_format").select("grpo").run()
    assert not curate.exception
    assert curate.selectbox(key="export_grpo_answer").options == ["sentence", "number"]
    runs = opened("runs", new="1", dataset="voted")
    assert any("brightness" in option for option in runs.selectbox(key="launch_engine").options)


def opened(name: str, **query: str) -> AppTest:
    test = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=60)
    for key, value in query.items():
        test.query_params[key] = value
    test.run()
    assert not test.exception, test.exception
    return test


if __name__ == "__main__":
    contracts(Path(sys.argv[1]) / "contracts")
    pages(Path(sys.argv[1]))
    print("kept")
