"""What the environment may say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backend.errors import SettingsError
from backend.settings import Settings


def test_an_empty_environment_gives_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"WINNOW_WORKSPACE": ""})
    assert settings.workspace == tmp_path / "winnow-workspace"
    assert settings.database == f"sqlite+pysqlite:///{tmp_path}/winnow-workspace/winnow.db"
    assert settings.python_for("vllm") == sys.executable
    assert (settings.heartbeat_seconds, settings.stale_seconds) == (2.0, 30.0)


def test_what_only_the_tests_are_told_is_not_looked_at() -> None:
    # `make test` names an interpreter that may not be there: nothing else may stop for that.
    settings = Settings.from_environment({"WINNOW_TEST_VLLM_PYTHON": "/no/such/python"})
    assert settings.engine_pythons == {}


def test_values_are_taken_from_the_environment(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    settings = Settings.from_environment(
        {
            "WINNOW_WORKSPACE": str(tmp_path / "w"),
            "WINNOW_DATABASE_URL": "postgresql+psycopg://me@db/winnow",
            "WINNOW_VLLM_PYTHON": str(link),
            "WINNOW_HEARTBEAT_SECONDS": "0.5",
        }
    )
    assert settings.workspace == tmp_path / "w"
    assert settings.database == "postgresql+psycopg://me@db/winnow"
    # The link itself: a virtual environment is found by where its link lies.
    assert settings.python_for("vllm") == str(link)
    assert settings.python_for("transformers") == sys.executable
    assert settings.heartbeat_seconds == 0.5


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WINNOW_HEARTBEAT_SECONDS", "often"),
        ("WINNOW_HEARTBEAT_SECONDS", "0"),
        ("WINNOW_HEARTBEAT_SECONDS", "20"),
        ("WINNOW_STALE_SECONDS", "1"),
        ("WINNOW_DATABASE_URL", "mysql://me:secret@db/x"),
        ("WINNOW_DATABASE_URL", "winnow.db"),
        ("WINNOW_PUBLIC_URL", "winnow.example.org"),
        ("WINNOW_PUBLIC_URL", "https://winnow.example.org/path"),
        ("WINNOW_VLLM_PYTHON", "/no/such/python"),
        ("WINNOW_WORKSPACE", __file__),
    ],
)
def test_a_bad_value_is_one_line_with_a_hint(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({variable: value})
    assert "\n" not in caught.value.message
    assert "WINNOW_" in caught.value.message
    assert "secret" not in caught.value.message
    assert caught.value.hint
