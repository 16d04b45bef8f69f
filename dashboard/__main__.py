"""``python -m dashboard [STREAMLIT'S OPTIONS]``: the server under our own settings, whatever the folder.

``.streamlit/config.toml`` beside this file is read by Streamlit itself, and wins over a person's own
files; here it wins over their variables too. Of the look, what a person has set is kept.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streamlit import config
from streamlit.web import cli

_HERE = Path(__file__).resolve().parent
_SCHEMES = ("light", "dark")
_GROUNDS = {"theme.backgroundColor", "theme.secondaryBackgroundColor", "theme.textColor"}


def main(arguments: list[str]) -> None:
    """Serve until the process is asked to end.

    Args:
        arguments: Options of ``streamlit run``, which win over everything else.
    """
    ours = dict(_options(_HERE / ".streamlit" / "theme.toml"))
    theirs: dict[str, Any] = {}
    for file in map(Path, config.get_config_files("config.toml")):
        if file.exists():
            theirs.update(_options(file))
    for name in {"theme.base", *(wider for one in ours for wider in _wider(one))}:
        if value := os.environ.get(_variable(name)):
            theirs[name] = value
    for name, _ in _options(_HERE / ".streamlit" / "config.toml"):
        os.environ.pop(_variable(name), None)
    flags = [f"--{name}={value}" for name, value in theme_beside(theirs, ours).items()]
    sys.argv = ["streamlit", "run", str(_HERE / "app.py"), *flags, *arguments]
    cli.main(prog_name="streamlit")


def theme_beside(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Those options of our theme that a person's own theme leaves open.

    A person's option covers ours of the same name in its section and in those that Streamlit asks
    before it: ``theme.primaryColor`` covers ``theme.dark.primaryColor``, and a ground also the
    sidebar's. Their ``theme.base`` means that scheme alone, or a file that is all of the theme; without
    it, a ground or ink of theirs is a light theme's, as Streamlit takes it.
    """
    base = theirs.get("theme.base") or ("light" if _GROUNDS & theirs.keys() else "")
    if base and base not in _SCHEMES:
        return {}
    left = {"theme.base": base} if base else {}
    for name, value in ours.items():
        if base and (scheme := name.split(".")[1]) in _SCHEMES:
            if scheme != base:
                continue
            name = name.replace(f".{scheme}.", ".", 1)
        if not any(wider in theirs for wider in _wider(name)):
            left[name] = value
    return left


def _wider(name: str) -> Iterator[str]:
    """An option of a theme, and those of the same name in more general sections."""
    _, *sections, option = name.split(".")
    for scheme in {"", *(f".{one}" for one in sections if one in _SCHEMES)}:
        for sidebar in {"", *(f".{one}" for one in sections if one == "sidebar")}:
            yield f"theme{scheme}{sidebar}.{option}"


def _options(file: Path) -> Iterator[tuple[str, Any]]:
    """The options in a file of Streamlit's, by their full names."""

    def walk(section: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in table.items():
            if isinstance(value, dict):
                yield from walk(f"{section}.{name}", value)
            else:
                yield f"{section}.{name}", value

    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {file}: it cannot be read ({error})\nhint: mend it, or move it away")
    for section, table in tables.items():
        yield from walk(section, table)


def _variable(name: str) -> str:
    """The variable of the environment that Streamlit reads an option from."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name.replace(".", "_"))
    return f"STREAMLIT_{words.upper()}"


if __name__ == "__main__":
    main(sys.argv[1:])
