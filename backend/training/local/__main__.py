"""``python -m backend.training.local FOLDER``: the process, or one of the processes, that trains; thin.

Ends with 0 when the training is finished and 143 when it was asked to stop. Why it failed otherwise
is in the folder's ``failure.json``.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

from backend.errors import WinnowError
from backend.training.folder import FAILURE, read_spec, write_whole

STOPPED = 143


def main(arguments: list[str]) -> int:
    """Train what the folder's spec says."""
    logging.basicConfig(
        # Of several processes the first one speaks; the others only when something is wrong.
        level=logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    folder = Path(arguments[0])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        from backend.training.local.devices import leave, take_place
        from backend.training.local.fit import Fit

        spec = read_spec(folder)
        try:
            finished = Fit(folder, spec, take_place(spec), stopping=stop.is_set).run()
        finally:
            leave()
    except WinnowError as error:
        logging.error("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        write_whole(folder / FAILURE, {"error": error.message, "hint": error.hint})
        return 1
    return 0 if finished else STOPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
