"""The real command in a process of its own, without importing it anew each time.

A server imports ``backend.cli`` once; each call is a fork of it with its own arguments, environment,
folder and output, which runs ``main`` as ``python -m backend.cli`` does. Importing takes a second or two
of each call; the tests make hundreds.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Read where rich and typer are imported.
LOOK = {"COLUMNS": "240", "NO_COLOR": "1"}


@dataclass(frozen=True)
class Done:
    """How a call ended; a negative code is the signal that ended it."""

    returncode: int
    stdout: str
    stderr: str


class Forking:
    """One server, started at the first call and ended with this process."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="winnow-forking-")
        self._address = str(Path(self._folder.name) / "socket")
        self._server: subprocess.Popen[bytes] | None = None

    def call(self, words: Sequence[str], env: Mapping[str, str], timeout: float) -> Done:
        """Run the command; raises ``TimeoutError`` where it takes longer."""
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.forking", self._address],
                cwd=ROOT,
                env={**os.environ, **LOOK},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
            )
            assert self._server.stdout is not None
            assert self._server.stdout.readline() == b"ready\n"
            atexit.register(self.stop)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, socket.socket(socket.AF_UNIX) as line:
            line.settimeout(timeout)
            line.connect(self._address)
            wanted = {"words": list(words), "env": dict(env), "cwd": str(Path.cwd())}
            message = json.dumps(wanted).encode()
            head = len(message).to_bytes(8, "big")
            socket.send_fds(line, [head], [out.fileno(), err.fileno()])
            line.sendall(message)
            code = int(line.makefile().readline())
            texts = []
            for file in (out, err):
                file.seek(0)
                # As subprocess does for text: newlines are one character.
                texts.append(file.read().decode().replace("\r\n", "\n").replace("\r", "\n"))
        return Done(code, *texts)

    def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None
        self._folder.cleanup()


FORKING = Forking()


def serve(address: str) -> None:
    """Fork for each call until killed."""
    import backend.cli  # noqa: F401 - so that forks have it

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(64)
        print("ready", flush=True)
        while True:
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                os._exit(_answer(line))
            line.close()
            # Those that have answered.
            while True:
                try:
                    if os.waitpid(-1, os.WNOHANG)[0] == 0:
                        break
                except ChildProcessError:
                    break


def _answer(line: socket.socket) -> int:
    """Run one call in a child, and send its exit code."""
    head, files, _, _ = socket.recv_fds(line, 8, 2)
    with line, line.makefile("rb") as stream:
        wanted = json.loads(stream.read(int.from_bytes(head, "big")))
        child = os.fork()
        if child == 0:
            line.close()
            _run(wanted, files)
        _, status = os.waitpid(child, 0)
        line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    return 0


def _run(wanted: dict[str, object], files: list[int]) -> None:
    """Be the command."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in enumerate((nothing, *files)):
        os.dup2(source, target)
    for source in (nothing, *files):
        os.close(source)
    words, env = wanted["words"], wanted["env"]
    assert isinstance(words, list) and isinstance(env, dict)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(str(wanted["cwd"]))
    sys.argv = [str(ROOT / "backend" / "cli" / "__main__.py"), *words]
    code = 0
    try:
        from backend.cli import main

        code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - as Python does at its end
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1
    os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
