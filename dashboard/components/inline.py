"""Components from their files.

Streamlit is given a component's HTML, CSS and script as text, and a script that is given as text can import
nothing. So the modules that it consists of become one, without a build step.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import streamlit as st

_IMPORT = re.compile(r'^import \{[\w\s,]+\} from "(\.{1,2}/[\w./]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default\b)", re.MULTILINE)


def declared(name: str, stem: Path) -> Any:
    """A component of the files ``stem``.html, .css and .js, as Streamlit mounts it."""
    html, css = (stem.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".html", ".css"))
    return st.components.v2.component(name, html=html, css=css, js=script(stem.with_suffix(".js")))


def script(entry: Path) -> str:
    """One module of ``entry`` and of all that it imports, each once.

    They share one scope: no two of them may give the same name to something at their top level, and nothing
    that runs while they load may use what another one declares.
    """
    parts: dict[Path, str] = {}
    _add(entry.resolve(), parts)
    return "\n".join(parts.values())


def _add(path: Path, parts: dict[Path, str]) -> None:
    text = path.read_text(encoding="utf-8")
    parts[path] = _EXPORT.sub("", _IMPORT.sub("", text))
    for imported in _IMPORT.findall(text):
        if (other := (path.parent / imported).resolve()) not in parts:
            _add(other, parts)
