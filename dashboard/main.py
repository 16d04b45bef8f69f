"""The script that Streamlit runs at every interaction: navigation, and the page that was chosen."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.components.away import away
from dashboard.identity import login_needed
from dashboard.navigation import pages
from dashboard.page import page
from dashboard.session import workspace_mark
from dashboard.sidebar import sidebar
from dashboard.style import apply_style

# A file of our own: an icon by name would be fetched from elsewhere.
ICON = Path(__file__).parent / "icon.png"

st.set_page_config(page_title="Winnow", page_icon=str(ICON), layout="wide")
apply_style()
with page(None):
    away(workspace_mark())
    chosen = pages(Path(__file__).parents[1] / "pages")
    if not login_needed():
        sidebar()
    chosen.run()
