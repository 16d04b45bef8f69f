"""The ``winnow`` command: one module a group of subcommands, and the edge where errors become text."""

import sys

try:
    from backend.cli.main import main
except KeyboardInterrupt:
    # Loading takes a second, and the edge that turns this into an exit code is not there yet.
    sys.exit(130)

__all__ = ["main"]
