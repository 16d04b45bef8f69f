"""The filter column, its chips, and their agreement with the URL.

The URL is what counts: it is written at every change, and read when it says something else than was
last written here (a link that was opened, or the browser's Back).
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.domain.browse import BrowseFilter
from backend.domain.reading import Flaw
from backend.domain.rules.registry import reasons
from backend.store.browse import Facets
from backend.store.runs import RunRow
from dashboard.text import clean, md
from dashboard.words import reason, spaced

_PREFIX = "browse_"
_WRITTEN = "browse_written"
_FOLD = "browse_fold"
_PLACES = ("after", "focus", "view")
"""What else is in the URL: where one is, and how it is shown."""
SORTS = {
    "oldest": "oldest first",
    "newest": "newest first",
    "-margin": "widest margin",
    "margin": "narrowest margin",
    "-length": "longest text",
    "length": "shortest text",
}
NAMES = {
    "run": "run",
    "decision": "filter says",
    "effective": "counts as",
    "reason": "reason",
    "reviewed": "reviewed",
    "reviewer": "by",
    "ruling": "ruling",
    "kind": "medium",
    "answer": "judge says",
    "flaw": "flaw",
    "margin_min": "margin at least",
    "margin_max": "margin at most",
    "dimension": "dimension",
    "tag": "tag",
    "text": "text",
}
_MEASURES = {"difference": "first minus second", "first": "of the first", "second": "of the second"}
_SIDES = {"first": "first", "second": "second", "tie": "tie", "none": "none"}
_RULINGS = {"accept": "accept", "reject": "reject", "relabel": "relabel", "flag": "flag", "none": "not reviewed"}


def present_filter(kept: dict[str, str]) -> tuple[BrowseFilter, list[str]]:
    """The filter in the URL, or without one what this person last used; loaded into the widgets.

    The second value names what in a link was left out.
    """
    query = {name: value for name, value in st.query_params.items() if name not in _PLACES}
    # Streamlit forgets the widgets of a page that was left.
    arriving = any(_PREFIX + name not in st.session_state for name in BrowseFilter.model_fields)
    if arriving and not query:
        query = dict(kept)
    refused: list[str] = []
    if arriving or query != st.session_state.get(_WRITTEN):
        wanted, refused = BrowseFilter.from_query(query)
        for name in BrowseFilter.model_fields:
            st.session_state[_PREFIX + name] = _to_widget(name, getattr(wanted, name))
        st.session_state[_FOLD] = _more_in_use() or bool(st.session_state.get(_FOLD))
        st.session_state[_WRITTEN] = wanted.to_query()
        refused += [name for name in query if name not in BrowseFilter.model_fields]
    return _from_widgets(), refused


def write_url(wanted: BrowseFilter, **more: str) -> None:
    """Make the URL say what is shown; how it is shown stays as it says."""
    query = wanted.to_query()
    more.setdefault("view", "table" if st.query_params.get("view") == "table" else "")
    st.session_state[_WRITTEN] = query
    st.query_params.from_dict({**query, **{name: value for name, value in more.items() if value}})


def filter_column(runs: list[RunRow], facets: Facets) -> BrowseFilter:
    """Draw the widgets; returns the filter they amount to."""
    key = _PREFIX
    names = {run.id: f"{run.id} · {clean(run.dataset, 24)}" for run in runs}
    st.text_input("Text in caption or reasoning", key=f"{key}text", placeholder="words")
    st.multiselect("Run", list(names), format_func=lambda run: names.get(run, str(run)), key=f"{key}run")
    _choice("Counts as", "effective", {"accepted": "accepted", "rejected": "rejected"})
    _choice("Medium", "kind", {"image": "images", "video": "videos"})
    _choice("Reviewed", "reviewed", {"yes": "yes", "no": "no"})
    st.multiselect("Reason", list(reasons()), format_func=reason, key=f"{key}reason")
    st.multiselect("Flaw", ["any", *(f.value for f in Flaw)], format_func=spaced, key=f"{key}flaw")
    st.multiselect("Judge says", list(_SIDES), format_func=lambda a: _SIDES[a], key=f"{key}answer")
    left, right = st.columns(2, vertical_alignment="bottom", wrap=False)
    left.number_input("Margin from", key=f"{key}margin_min", value=None, step=1.0, format="%g")
    right.number_input("to", key=f"{key}margin_max", value=None, step=1.0, format="%g")
    # As it was left: not closed under the hand that empties its last field.
    st.session_state[_FOLD] = st.session_state[_FOLD]
    with st.expander("Rulings and scores", key=_FOLD, on_change="rerun"):
        st.multiselect("Ruling", list(_RULINGS), format_func=lambda r: _RULINGS[r], key=f"{key}ruling")
        _pick("Reviewer", "reviewer", facets.reviewers)
        _pick("Tag", "tag", facets.tags)
        _choice("Filter says", "decision", {"accepted": "accepted", "rejected": "rejected"})
        _pick("Dimension", "dimension", facets.dimensions)
        _score()
    return _from_widgets()


def _score() -> None:
    """The range of the chosen dimension's score; without a dimension there is nothing to measure."""
    key, idle = _PREFIX, not st.session_state.get(f"{_PREFIX}dimension")
    st.selectbox("Its score", list(_MEASURES), key=f"{key}measure", format_func=_MEASURES.__getitem__, disabled=idle)
    left, right = st.columns(2, vertical_alignment="bottom", wrap=False)
    left.number_input("Score from", key=f"{key}score_min", value=None, step=1.0, format="%g", disabled=idle)
    right.number_input("to", key=f"{key}score_max", value=None, step=1.0, format="%g", disabled=idle)


def chips(wanted: BrowseFilter) -> None:
    """What is filtered by, each removable."""
    used = [name for name in NAMES if getattr(wanted, name) not in (None, ())]
    if not used:
        return
    with st.container(horizontal=True, gap="small"):
        for name in used:
            said = _in_words(name, getattr(wanted, name))
            if name == "dimension":
                said += _range(wanted)
            label = f"{NAMES[name]}: {md(said, 100)}"
            st.button(
                label, key=f"chip_{name}", icon=":material/close:", icon_position="right", on_click=_drop, args=(name,)
            )
        if len(used) > 1:
            st.button("Clear all", key="chip_all", type="tertiary", on_click=_drop_all)


def _choice(label: str, name: str, options: dict[str, str]) -> None:
    st.segmented_control(label, list(options), format_func=options.__getitem__, key=_PREFIX + name)


def _pick(label: str, name: str, options: list[str]) -> None:
    present = st.session_state.get(_PREFIX + name)
    known = options if present is None or present in options else [*options, present]
    st.selectbox(label, known, index=None, format_func=lambda o: clean(o, 60), key=_PREFIX + name, placeholder="any")


def _more_in_use() -> bool:
    names = ("ruling", "reviewer", "tag", "decision", "dimension")
    return any(st.session_state.get(_PREFIX + name) for name in names)


def _drop(name: str) -> None:
    wanted = _from_widgets().without(name)
    for field in BrowseFilter.model_fields:
        st.session_state[_PREFIX + field] = _to_widget(field, getattr(wanted, field))


def _drop_all() -> None:
    for field, info in BrowseFilter.model_fields.items():
        if field != "sort":
            st.session_state[_PREFIX + field] = _to_widget(field, info.default)


def _to_widget(name: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return [getattr(item, "value", item) for item in value]
    if name == "reviewed":
        return None if value is None else "yes" if value else "no"
    return getattr(value, "value", value)


def _from_widgets() -> BrowseFilter:
    values: dict[str, Any] = {}
    for name, field in BrowseFilter.model_fields.items():
        value = st.session_state.get(_PREFIX + name)
        if value is None or value in ("", []):
            value = field.default
        elif name == "reviewed":
            value = value == "yes"
        elif isinstance(value, list):
            value = tuple(value)
        values[name] = value
    return BrowseFilter.model_validate(values).without_idle()[0]


def _range(wanted: BrowseFilter) -> str:
    """What is asked of the dimension's score: ``, of the first at least 3``."""
    ends = [
        f"{word} {end:g}"
        for word, end in (("at least", wanted.score_min), ("at most", wanted.score_max))
        if end is not None
    ]
    measured = ends or wanted.measure != "difference"
    return f", {_MEASURES[wanted.measure]} {' and '.join(ends)}".rstrip() if measured else ""


def _in_words(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(_word(name, item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _word(name, value)


def _word(name: str, value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(getattr(value, "value", value))
    if name == "reason":
        return reason(text)
    if name == "ruling":
        return _RULINGS.get(text, text)
    return spaced(text) if name == "flaw" else text
