"""HTTP routes of components, beside Streamlit's own."""
