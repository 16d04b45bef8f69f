"""``python -m backend.jobs.tied PID COMMAND…``: become a command that ends when its parent does.

However the parent ends, ``kill -9`` included, and what the command itself starts is not tied. Where the
kernel cannot do that (it is Linux's), this is the command and nothing more.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from backend.jobs.marks import die_with_parent

PARENT_IS_GONE = 1


def main(argv: list[str]) -> NoReturn:
    """This process is the command from here on, or ends where the parent has ended already."""
    parent, *command = argv
    if not die_with_parent(int(parent)):
        sys.exit(PARENT_IS_GONE)
    os.execvp(command[0], command)  # noqa: S606 - a list, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
