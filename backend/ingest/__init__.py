"""Bringing a dataset into the store, with its integrity report."""
