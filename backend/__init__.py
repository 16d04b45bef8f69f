"""Winnow's backend: everything that runs without a browser."""
