"""What other packages add to a registry is there like Winnow's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backend.engines.base import EngineKind
from backend.engines.registry import ENGINES
from backend.errors import UsageError
from backend.extensions import Registry

ENGINE = """
from backend.engines.base import EngineKind

ECHO = EngineKind(name="echo", label="echo", purpose="says nothing new", load=lambda model, options: None)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[EngineKind]:
    """A registry of engines, with a package that adds one and another that is broken."""
    (tmp_path / "echo_engine.py").write_text(ENGINE)
    info = tmp_path / "echo_engine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: echo-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[winnow.engines]\necho = echo_engine:ECHO\nbroken = echo_engine:NOTHING\nvllm = echo_engine:ECHO\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "echo_engine", raising=False)
    return Registry("engine", "winnow.engines", ENGINES._built_in)


def test_an_installed_package_adds_an_engine(installed: Registry[EngineKind]) -> None:
    assert list(installed)[-2:] == ["echo", "broken"]
    assert installed.named("echo").purpose == "says nothing new"


def test_a_package_cannot_take_the_place_of_our_own(installed: Registry[EngineKind]) -> None:
    assert installed["vllm"] is ENGINES["vllm"]


def test_a_package_that_cannot_be_loaded_is_named(installed: Registry[EngineKind]) -> None:
    with pytest.raises(UsageError, match="broken") as caught:
        installed.named("broken")
    assert "echo_engine:NOTHING" in (caught.value.hint or "")


def test_an_unknown_name_is_refused_with_those_there_are(installed: Registry[EngineKind]) -> None:
    with pytest.raises(UsageError, match="unknown engine 'sglang'") as caught:
        installed.named("sglang", "auto")
    assert caught.value.hint == "one of auto, openai, vllm, transformers, scripted, echo, broken"


def test_each_of_our_own_is_declared_under_the_name_it_is_listed_by() -> None:
    for name in ENGINES._built_in:
        kind = ENGINES[name]
        assert kind.name == name
        assert kind.label and kind.purpose
