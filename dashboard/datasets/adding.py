"""Adding a dataset: read in the background, its progress to be seen, the page never waiting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from backend.datasets.registry import SOURCES
from backend.domain.operations import Operation
from backend.errors import UsageError
from backend.store.tasks import TaskRow
from backend.workspace import Workspace
from dashboard import tasks
from dashboard.page import errors_shown

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
    going = space.tasks.list(Operation.ADD_DATASET.name)
    if any(task.is_open and task.title == name for task in going):
        raise UsageError(f"{name} is being imported already")
    tasks.begin(
        space,
        Operation.ADD_DATASET,
        name,
        {
            "name": name,
            "spec": source,
            "data_root": str(Path(root).expanduser().absolute()) if root else None,
            "links_to": [str(Path(folder).expanduser().absolute()) for folder in links_to],
            "check_media": check,
        },
    )


def imports(space: Workspace) -> None:
    """What is being imported, and what went wrong; nothing where there is nothing to say."""
    tasks.watch(space, Operation.ADD_DATASET, finished=_open)


def _open(task: TaskRow) -> None:
    st.query_params.from_dict({"name": str((task.result or {}).get("name", task.title))})
    st.session_state.pop("name", None)
    st.rerun()
