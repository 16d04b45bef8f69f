"""Which of our theme's options a person's own theme leaves in force."""

from __future__ import annotations

import pytest

from dashboard.__main__ import theme_beside
from dashboard.labels import scheme

OURS = {
    "theme.font": "f",
    "theme.light.primaryColor": "l",
    "theme.light.sidebar.backgroundColor": "ls",
    "theme.dark.primaryColor": "d",
    "theme.dark.sidebar.backgroundColor": "ds",
}


def test_who_says_nothing_gets_all_of_ours() -> None:
    assert theme_beside({"server.port": 1}, OURS) == OURS


@pytest.mark.parametrize(
    ("theirs", "gone"),
    [
        ("theme.font", {"theme.font"}),
        ("theme.primaryColor", {"theme.light.primaryColor", "theme.dark.primaryColor"}),
        ("theme.dark.primaryColor", {"theme.dark.primaryColor"}),
        (
            "theme.sidebar.backgroundColor",
            {"theme.light.sidebar.backgroundColor", "theme.dark.sidebar.backgroundColor"},
        ),
        ("theme.dark.backgroundColor", {"theme.dark.sidebar.backgroundColor"}),
        ("theme.sidebar.primaryColor", set()),
    ],
)
def test_an_option_of_theirs_covers_ours_of_its_name_where_it_would_be_hidden(theirs: str, gone: set[str]) -> None:
    assert OURS.keys() - theme_beside({theirs: "x"}, OURS).keys() == gone


@pytest.mark.parametrize("theirs", [{"theme.base": "dark"}, {"theme.base": "dark", "theme.dark.x": 1}])
def test_a_base_of_theirs_is_that_scheme_of_ours_alone(theirs: dict[str, str]) -> None:
    assert theme_beside(theirs, OURS) == {
        "theme.base": "dark",
        "theme.font": "f",
        "theme.primaryColor": "d",
        "theme.sidebar.backgroundColor": "ds",
    }


@pytest.mark.parametrize(("base", "shown"), [("dark", "dark"), ("light", "light"), (None, "dark")])
def test_our_own_colours_are_those_of_the_scheme_that_is_drawn(
    base: str | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = type("C", (), {"theme": type("T", (), {"type": "light" if base == "dark" else "dark"})})
    monkeypatch.setattr("dashboard.labels.st.context", browser)
    monkeypatch.setattr("dashboard.labels.st.get_option", {"theme.base": base}.get)
    assert scheme() == shown


def test_a_theme_file_of_theirs_is_all_of_the_theme() -> None:
    assert theme_beside({"theme.base": "mine.toml"}, OURS) == {}


def test_a_ground_of_theirs_is_never_under_the_other_schemes_ink() -> None:
    assert theme_beside({"theme.backgroundColor": "#FFFBE6"}, OURS) == {
        "theme.base": "light",
        "theme.font": "f",
        "theme.primaryColor": "l",
    }
