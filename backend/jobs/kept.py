"""``python -m backend.jobs.kept PID COMMAND…``: run a command, and end all of it with the process PID.

Unlike :mod:`backend.jobs.tied`, whose command is killed alone, this ends what the command started as
well: ``vllm serve`` leaves its engine behind, with the GPU's memory, when it is killed. The session tells
whose they are; the mark does not, in a process that writes its title over its environment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from backend.jobs.marks import MARK
from backend.jobs.processes import stop_group, this_process

GRACE_S = 30.0
_POLL_S = 0.2


def main(argv: list[str]) -> int:
    """Run it to its end, or to the end of process ``PID``, whose child this is; its exit code.

    This process has to lead a session of its own.
    """
    parent, *command = argv
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        child = subprocess.Popen(command)  # noqa: S603 - a list, no shell
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        return 1
    while child.poll() is None and os.getppid() == int(parent) and not stop.is_set():
        stop.wait(_POLL_S)
    # Also where it ended by itself: something of it may have stayed.
    stop_group(*this_process(), mark=os.environ.get(MARK) or None, grace=GRACE_S)
    return abs(child.poll() or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
