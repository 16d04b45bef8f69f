"""Streamlit v2 components: inline HTML, CSS and JavaScript, no build step."""
