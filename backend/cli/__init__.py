"""The ``winnow`` command: one module a group of subcommands, and the edge where errors become text."""

from backend.cli.main import main

__all__ = ["main"]
