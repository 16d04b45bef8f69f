"""``python -m backend.training.local FOLDER``: the process, or one of the processes, that trains; thin.

Ends with 0 when the training is finished and 143 when it was asked to stop, by SIGTERM or by the file
:data:`~backend.training.folder.STOP`. Why it failed otherwise is in the folder's ``failure.json``.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

from backend.errors import WinnowError
from backend.hints import to_text
from backend.jobs.marks import die_with_parent
from backend.training.folder import FAILURE, STOP, joined, read_spec, write_whole

STOPPED = 143
ORPHANED = 144


def main(arguments: list[str]) -> int:
    """Train what the folder's spec says."""
    logging.basicConfig(
        # Of several processes the first one speaks; the others only when something is wrong.
        level=logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    folder = Path(arguments[0])
    # Nobody could stop it any more, and who resumes the training would write beside it.
    if not die_with_parent():
        logging.error("what started this training is gone")
        return ORPHANED
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        with joined(folder):
            finished = _train(folder, stop)
    except WinnowError as error:
        logging.error("%s", error.line)
        write_whole(folder / FAILURE, {"error": error.message, "hint": to_text(error.hint)})
        return 1
    return 0 if finished else STOPPED


def _train(folder: Path, stop: threading.Event) -> bool:
    from backend.training.local.devices import leave, take_place
    from backend.training.local.fit import Fit

    def stopping() -> bool:
        return stop.is_set() or (folder / STOP).exists()

    spec = read_spec(folder)
    try:
        return Fit(folder, spec, take_place(spec), stopping=stopping).run()
    finally:
        leave()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
