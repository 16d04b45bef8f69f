"""Adding a dataset: read in the background, its progress to be seen, the page never waiting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from backend.datasets.registry import SOURCES
from backend.errors import UsageError, WinnowError
from backend.workspace import Workspace
from dashboard.background import Task, begin, find, forget, named
from dashboard.numbers import many
from dashboard.page import errors_shown, fragment, show
from dashboard.text import clean, md

_MOST_NAME = 200


def add_form(space: Workspace) -> None:
    """The form; what it starts is shown by :func:`imports`."""
    with st.form("add_dataset", border=False), errors_shown():
        source = st.text_input(
            "Format and file",
            placeholder="SOURCE:PATH, such as hpdv3:/data/HPDv3/train.json",
            help=f"SOURCE:PATH. Sources: {', '.join(SOURCES)}. Several files are separated by commas.",
        )
        left, right = st.columns(2)
        name = left.text_input(
            "Name", placeholder="hpdv3-train", max_chars=_MOST_NAME, help="What it is called in this workspace."
        )
        root = right.text_input(
            "Data root",
            placeholder="where the source keeps them",
            help="Folder that the media paths are relative to. No path leads out of it.",
        )
        links = st.text_area(
            "Allow links to",
            placeholder="no folder",
            height=68,
            help="Folders outside of the data root that its symbolic links may lead to, one a line: "
            "the blobs of a downloaded snapshot, or another disk. Only those you trust.",
        )
        check = st.checkbox("Open every medium", value=True, help="Finds missing and broken files; off is much faster.")
        if st.form_submit_button("Add dataset", type="primary"):
            folders = [line.strip() for line in links.splitlines() if line.strip()]
            start(space, source.strip(), name.strip(), root.strip(), check, folders)
            st.rerun()


def start(space: Workspace, source: str, name: str, root: str, check: bool, links_to: Sequence[str] = ()) -> None:
    """Begin an import.

    Raises:
        UsageError: A field is empty, or an import of that name is going on.
    """
    if ":" not in source:
        raise UsageError("say the format and the file as SOURCE:PATH", hint="such as hpdv3:/data/train.json")
    if not name or not name.isprintable():
        raise UsageError("give the dataset a name")
    key = ("import", str(space.folder), name)
    going = find(key)
    if going is not None and not going.done:
        raise UsageError(f"{name} is being imported already")
    forget(key)

    def work(task: Task) -> str:
        task.say("reading")
        space.add_dataset(
            name=name,
            spec=source,
            data_root=Path(root) if root else None,
            links_to=[Path(folder) for folder in links_to] or None,
            check_media=check,
            progress=lambda rows: task.say(f"{many(rows, 'row')} so far"),
        )
        return name

    begin(key, work)


def imports(space: Workspace) -> None:
    """What is being imported, and what went wrong; nothing where there is nothing to say."""
    if not _mine(space):
        return

    @fragment(run_every=0.7)
    def watch() -> None:
        for key, task in _mine(space):
            name = str(key[2])  # type: ignore[index]
            if not task.done:
                line = task.lines[-1] if task.lines else "starting"
                st.info(f"Importing **{md(name)}**: {line}", icon=":material/hourglass_top:")
                continue
            if task.error is None:
                forget(key)
                st.query_params.from_dict({"name": name})
                st.session_state.pop("name", None)
                st.rerun()
            _failed(name, key, task)

    watch()


def _mine(space: Workspace) -> list[tuple[object, Task]]:
    return [(key, task) for key, task in named("import") if key[1] == str(space.folder)]  # type: ignore[index]


def _failed(name: str, key: object, task: Task) -> None:
    error = task.error
    if isinstance(error, WinnowError):
        show(error)
    else:
        st.error(f"{md(name)} could not be imported; the server's log says why")
    if st.button("Dismiss", key=f"dismiss_{clean(name)}"):
        forget(key)  # type: ignore[arg-type]
        st.rerun()
