"""``winnow serve``: the dashboard on a workspace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from pathlib import Path
from typing import Annotated

import httpx
import typer

from backend.cli.output import given, say
from backend.errors import SettingsError, UsageError
from backend.jobs import tied
from backend.jobs.own_path import python_path
from backend.workspace import open_workspace, settings_for

DEFAULT_PORT = 8501
_ROOT = Path(__file__).resolve().parents[2]
_GRACE_S = 5.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    port: Annotated[int | None, typer.Option(help=f"Port; default {DEFAULT_PORT} or the next free one")] = None,
    address: Annotated[
        str, typer.Option(help="Address to serve on; any but this machine's own needs a login")
    ] = "127.0.0.1",
    allow_open: Annotated[bool, typer.Option("--allow-open", help="Serve to other machines without a login")] = False,
    browser: Annotated[bool, typer.Option(help="Open a browser")] = True,
) -> int:
    """Serve the dashboard until Ctrl-C. Runs and trainings go on without it."""
    app = _ROOT / "dashboard" / "app.py"
    if not app.exists():
        raise SettingsError(f"{app}: the dashboard is missing from this installation")
    settings = settings_for(given.workspace)
    # Opened here first, so that what is wrong with it is one line here and not on every page.
    open_workspace(settings).close()
    number = _port(port, address)
    environment = {**os.environ, "WINNOW_WORKSPACE": str(settings.workspace)}
    if allow_open:
        environment["WINNOW_ALLOW_OPEN"] = "yes"
    environment["PYTHONPATH"] = python_path(settings.workspace)
    # -P: the folder that the person is in may have a `dashboard` or a `backend` of its own.
    command = [sys.executable, "-P", "-m", "dashboard", "--server.address", address, "--server.port", str(number)]
    url = f"http://{address if address in _LOOPBACK else socket.gethostname()}:{number}"
    threading.Thread(target=_announce, args=(url, number, address, browser), daemon=True).start()
    return _until_it_ends(command, environment)


def _until_it_ends(command: list[str], environment: dict[str, str]) -> int:
    """The server. What would end this process is passed on, and waited for: nothing is left behind.

    Where this process cannot pass anything on (it is killed), the kernel ends the server on Linux. Runs
    and trainings are the server's own detached children, and go on.
    """
    # Its own output is not ours. A session of its own, or Ctrl-C would reach it twice: from the terminal
    # and from here.
    server = subprocess.Popen(  # noqa: S603 - a list, no shell
        [sys.executable, "-P", "-m", tied.__name__, str(os.getpid()), *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    asked: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        if asked:  # a second time: at once
            server.kill()
        else:
            server.terminate()
            # Pages that are open keep a server waiting; their browsers reconnect by themselves.
            hurry = threading.Timer(_GRACE_S, server.kill)
            hurry.daemon = True
            hurry.start()
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    code = server.wait()
    if asked:
        return 128 + asked[0]
    return code if code >= 0 else 128 - code


def _port(asked: int | None, address: str) -> int:
    wanted = [asked] if asked is not None else range(DEFAULT_PORT, DEFAULT_PORT + 50)
    for port in wanted:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except (OSError, TypeError, UnicodeError) as error:  # a text that no host's name can be
                if asked is not None:
                    reason = getattr(error, "strerror", None) or error
                    raise UsageError(
                        f"port {port} on {address} cannot be used ({reason})",
                        hint="leave --port out for the next free one",
                    ) from error
                continue
            return port
    raise UsageError("no free port", hint="give one with --port")


def _announce(url: str, port: int, address: str, browser: bool) -> None:
    host = "127.0.0.1" if address in ("0.0.0.0", "::") else address  # noqa: S104 - compared only
    health = f"http://{host}:{port}/_stcore/health"
    for _ in range(300):
        try:
            if httpx.get(health, timeout=1).status_code < 500:
                say(f"Winnow is at {url} (Ctrl-C ends the dashboard; runs go on)")
                # Without a screen, webbrowser would start a text browser in this terminal.
                if browser and (
                    os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"
                ):
                    webbrowser.open(url)
                return
        except httpx.HTTPError:
            time.sleep(0.1)
