"""Adapters that read preference datasets, one format a file, behind one registry."""
