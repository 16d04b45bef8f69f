"""The demo: pairs whose better side is known by construction, and a small judge for them."""
