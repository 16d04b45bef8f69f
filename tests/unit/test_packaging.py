"""What can be installed: the bounds of the requirements, and the extras that texts name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from backend.engines.base import EngineOptions
from scripts.check_extras import combinations
from scripts.vllm_source import arguments_built, each_option_changed

ROOT = Path(__file__).resolve().parents[2]
UPPER = re.compile(r"<|==|~=|!=")


def bounded_without_a_reason(pyproject: str) -> list[str]:
    """The lines with a requirement that keeps versions out, and no comment right above."""
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"].values()
    requirements = [*project["dependencies"], *(one for extra in extras for one in extra)]
    kept_out = [one for one in requirements if UPPER.search(one.partition(";")[0])]
    lines = [line.strip() for line in pyproject.splitlines()]
    found = []
    for requirement in kept_out:
        places = [n for n, line in enumerate(lines) if f'"{requirement}"' in line]
        assert places, requirement
        found += [lines[n] for n in places if not lines[n - 1].startswith("# ")]
    return found


def test_a_requirement_keeps_versions_out_only_where_a_reason_stands_above_it() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert bounded_without_a_reason(pyproject) == []
    capped = pyproject.replace('"pillow>=11"', '"pillow>=11,<13"')
    assert bounded_without_a_reason(capped) == ['"pillow>=11,<13",']


def test_every_extra_is_tried_alone_and_every_combination_that_a_text_names_once() -> None:
    readme = """
    `pip install '.[login]'`, then
    $ pip install ".[vllm, train]"
    \t$(BIN)/python -m pip install --quiet --upgrade -e .[train,dev]
    """
    hint = """hint="pip install '.[vllm,train]'")"""
    assert combinations(["vllm", "train", "login", "dev"], [readme, hint]) == [
        ("vllm", "train"),
        ("vllm",),
        ("train", "dev"),
        ("dev",),
        ("login",),
        ("train",),
        (),
    ]


def test_a_text_that_names_an_extra_that_is_none_is_found() -> None:
    with pytest.raises(SystemExit, match="gpu"):
        combinations(["vllm"], ["pip install '.[vllm,gpu]'"])


def test_the_arguments_held_against_vllm_are_those_of_every_option() -> None:
    changed = each_option_changed()
    for name, default in EngineOptions():
        assert any(getattr(options, name) != default for options in changed), name
    # Left out unless they are given.
    assert {"mm_processor_kwargs", "max_model_len"} <= arguments_built()
