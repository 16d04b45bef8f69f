"""``python -m backend.cli``: the same command where no script is installed."""

import sys

from backend.cli import main

if __name__ == "__main__":
    sys.exit(main())
