"""Adding a dataset: read in the background, its progress to be seen, the page never waiting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from backend.datasets.registry import SOURCES, with_options
from backend.domain.operations import Operation
from backend.errors import UsageError
from backend.options import changed, options_of
from backend.store.tasks import TaskRow
from backend.workspace import Workspace
from dashboard import tasks
from dashboard.option_fields import model_fields, model_wanted
from dashboard.page import errors_shown
from dashboard.text import md

_MOST_NAME = 200
_SOURCES = SOURCES.usable
_LIKE = f"{_SOURCES[0].name}:/data/train{_SOURCES[0].ending}"
_READ = "\n".join(f"- `{one.name}`: {one.purpose} {one.file}. Preferred: {one.preference}." for one in _SOURCES)


def add_form(space: Workspace) -> None:
    """The form; what it starts is shown by :func:`imports`."""
    with st.form("add_dataset", border=False), errors_shown():
        source = st.text_input(
            "Format and file",
            placeholder=f"SOURCE:PATH, such as {_LIKE}",
            help="Several files are separated by commas.",
        )
        with st.expander("What each source reads"):
            st.markdown(_READ)
        left, right = st.columns(2)
        name = left.text_input(
            "Name",
            placeholder=f"{_SOURCES[0].name}-train",
            max_chars=_MOST_NAME,
            help="What it is called in this workspace.",
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
        optional = [one for one in _SOURCES if options_of(one.options)]
        for one in optional:
            st.markdown(f"Options of {md(one.name)}")
            model_fields(one.options, f"add_{one.name}_")
        if st.form_submit_button("Add dataset", type="primary"):
            chosen = {one.name: model_wanted(one.options, f"add_{one.name}_", f"{one.name}'s") for one in optional}
            source = with_options(source.strip(), {name: model for name, model in chosen.items() if changed(model)})
            folders = [line.strip() for line in links.splitlines() if line.strip()]
            start(space, source, name.strip(), root.strip(), check, folders)
            st.rerun()


def start(space: Workspace, source: str, name: str, root: str, check: bool, links_to: Sequence[str] = ()) -> None:
    """Begin an import.

    Raises:
        UsageError: A field is empty, or an import of that name is going on.
    """
    if ":" not in source:
        raise UsageError("say the format and the file as SOURCE:PATH", hint=f"such as {_LIKE}")
    if not name or not name.isprintable():
        raise UsageError("give the dataset a name")
    if importing(space, name):
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


def importing(space: Workspace, name: str) -> bool:
    """Whether an import of that name is going on."""
    return any(task.is_open and task.title == name for task in space.tasks.list(Operation.ADD_DATASET.name))


def imports(space: Workspace) -> None:
    """What is being imported, and what went wrong; nothing where there is nothing to say."""
    tasks.watch(space, Operation.ADD_DATASET, finished=_open)


def _open(task: TaskRow) -> None:
    st.query_params.from_dict({"name": str((task.result or {}).get("name", task.title))})
    st.session_state.pop("name", None)
    st.rerun()
