"""Winnow as its wheel installs it, without extras, in an empty environment and from any folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from scripts.check_extras import build_wheel
from tests.browser.conftest import ROOT, answers, free_port, settled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Writes down what the server's own Streamlit has resolved, again and again: who asks takes the last.
WATCHER = """
import json, os, sys, threading, time

def watch():
    while True:
        time.sleep(0.2)
        config = sys.modules.get("streamlit.config")
        if config is None or not getattr(config, "_config_options", None):
            continue
        found = {name: repr(one.value) for name, one in config.get_config_options().items()}
        path = os.environ["WINNOW_TEST_SETTINGS"]
        with open(path + ".partial", "w") as file:
            json.dump(found, file)
        os.replace(path + ".partial", path)

if "dashboard" in sys.orig_argv:
    threading.Thread(target=watch, daemon=True).start()
"""
# Of this start alone, or drawn anew.
OWN = {"server.port", "browser.serverPort", "server.cookieSecret", "secrets.files"}
COLOURS = """() => {
    const found = {};
    const of = (name, element) => {
        const style = getComputedStyle(element);
        found[name] = [style.color, style.backgroundColor, style.borderColor, style.fontFamily,
                       style.fontSize, style.borderRadius];
    };
    for (const name of ['stApp', 'stSidebar', 'stSidebarNavLink', 'stHeader', 'stMarkdown'])
        document.querySelectorAll(`[data-testid="${name}"]`).forEach((e, n) => of(name + n, e));
    for (const name of ['h1', 'h2', 'p', 'a', 'button', 'input', 'code'])
        document.querySelectorAll(name).forEach((e, n) => of(name + n, e));
    return found;
}"""
OURS = ROOT / "dashboard" / ".streamlit"
OUR_SETTINGS = tomllib.loads((OURS / "config.toml").read_text(encoding="utf-8"))
OUR_THEME = tomllib.loads((OURS / "theme.toml").read_text(encoding="utf-8"))["theme"]
# What a folder may try: every safety off, a look of its own, and modules under our names.
HOSTILE = """
[server]
address = "0.0.0.0"
enableCORS = false
enableXsrfProtection = false
enableStaticServing = true
corsAllowedOrigins = ["https://elsewhere.example"]
fileWatcherType = "poll"
[browser]
gatherUsageStats = true
[client]
showErrorDetails = "full"
toolbarMode = "developer"
[theme]
primaryColor = "#AA00AA"
[theme.sidebar]
backgroundColor = "#E0FFE0"
"""
VARIABLES = {
    "STREAMLIT_CLIENT_SHOW_ERROR_DETAILS": "full",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "true",
    "STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION": "false",
    "STREAMLIT_THEME_BASE_RADIUS": "9px",
}


@dataclass
class Installed:
    """An interpreter with Winnow, the folder it is used from, and the servers started there."""

    python: Path
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def winnow(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-P", "-m", "backend.cli", *words],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def serve(self) -> str:
        """``winnow serve`` on a workspace in the folder; the address."""
        port = free_port()
        log = self.folder.with_suffix(".log")
        with log.open("wb") as out:
            server = subprocess.Popen(
                [self.python, "-P", "-m", "backend.cli", "serve", "--no-browser", "--port", str(port)],
                cwd=self.folder,
                env=self._environment(),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.servers.append(server)
        answers(f"http://127.0.0.1:{port}/_stcore/health", server, log)
        return f"http://127.0.0.1:{port}"

    def settings(self) -> dict[str, str]:
        """All of Streamlit's settings in the server that was started last."""
        found: dict[str, str] = json.loads(self._written.read_text())
        return {name: value for name, value in found.items() if name not in OWN}

    def end(self) -> None:
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)

    @property
    def _written(self) -> Path:
        return self.folder.with_suffix(".json")

    def _environment(self) -> dict[str, str]:
        watcher = self.folder.parent / "watcher"
        watcher.mkdir(exist_ok=True)
        (watcher / "sitecustomize.py").write_text(WATCHER)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WINNOW", "STREAMLIT"))
        }
        return {
            **kept,
            "PYTHONPATH": str(watcher),
            "HOME": str(self.folder.parent / "home"),
            "WINNOW_WORKSPACE": str(self.folder.with_suffix(".workspace")),
            "WINNOW_TEST_SETTINGS": str(self._written),
            **self.variables,
        }


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an empty environment with our wheel and what it needs, nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    wheel = build_wheel(pip, folder)
    # The versions of this interpreter: that others can be resolved is what check-extras is for.
    same = folder / "same.txt"
    same.write_text("\n".join(f"{one.name}=={one.version}" for one in distributions()))
    subprocess.run([*pip, "install", "--quiet", "-c", str(same), str(wheel)], check=True)
    return python


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Callable[..., Installed]]:
    """``at(python, "folder")``: Winnow of an interpreter, used from a new folder."""
    made: list[Installed] = []

    def use(python: Path, name: str, variables: dict[str, str] | None = None) -> Installed:
        (tmp_path / name).mkdir()
        made.append(Installed(python, tmp_path / name, variables or {}))
        return made[-1]

    yield use
    for one in made:
        one.end()


def rgb(colour: str) -> str:
    """``#RRGGBB`` as a browser says it."""
    return f"rgb({', '.join(str(int(colour[n : n + 2], 16)) for n in (1, 3, 5))})"


def colours(page: Page, url: str) -> dict[str, Any]:
    page.goto(url)
    settled(page)
    found: dict[str, Any] = page.evaluate(COLOURS)
    return found


def test_installed_it_looks_and_is_set_as_in_the_checkout_and_asks_nobody_else(
    python: Path, at: Callable[..., Installed], person: Callable[..., Page]
) -> None:
    checkout, installed = at(Path(sys.executable), "checkout"), at(python, "empty")
    urls = [checkout.serve(), installed.serve()]
    for scheme in ("light", "dark"):
        page = person(scheme)
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        expected, found = (colours(page, url) for url in urls)
        assert len(found) > 20
        assert found == expected
        assert found["stApp0"][1] == rgb(OUR_THEME[scheme]["backgroundColor"])
        assert found["stSidebar0"][1] == rgb(OUR_THEME[scheme]["sidebar"]["backgroundColor"])
        assert page.get_by_test_id("stAppDeployButton").count() == 0
        assert [url for url in asked if not url.startswith((*urls, "data:", "blob:"))] == []
    settings = installed.settings()
    assert settings == checkout.settings()
    for section, table in OUR_SETTINGS.items():
        for name, value in table.items():
            assert settings[f"{section}.{name}"] in (repr(value), value), name


def test_a_persons_own_settings_change_the_look_and_nothing_else(
    python: Path, at: Callable[..., Installed], person: Callable[..., Page]
) -> None:
    checkout, installed = at(Path(sys.executable), "checkout"), at(python, "hostile", VARIABLES)
    (installed.folder / ".streamlit").mkdir()
    (installed.folder / ".streamlit" / "config.toml").write_text(HOSTILE)
    for name in ("backend", "dashboard", "streamlit"):
        (installed.folder / name).mkdir()
        (installed.folder / name / "__init__.py").write_text("raise SystemExit('not this one')")
    urls = [checkout.serve(), installed.serve()]
    for scheme in ("light", "dark"):
        assert colours(person(scheme), urls[1])["stSidebar0"][1] == "rgb(224, 255, 224)"
    expected, found = checkout.settings(), installed.settings()
    changed = {name for name in found if found[name] != expected[name]}
    schemes = ("theme", "theme.light", "theme.dark")
    assert changed == {
        "theme.baseRadius",
        *(f"{scheme}.primaryColor" for scheme in schemes),
        *(f"{scheme}.sidebar.backgroundColor" for scheme in schemes),
    }


def test_every_file_of_the_packages_is_in_the_wheel(python: Path) -> None:
    code = "import backend, pathlib; print(pathlib.Path(backend.__file__).parents[1])"
    done = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, check=True)
    there = Path(done.stdout.strip())
    tracked = subprocess.run(
        ["git", "ls-files", "backend", "dashboard", "pages"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(tracked) > 200
    assert [name for name in tracked if not (there / name).is_file()] == []


def test_the_login_is_read_in_the_folder_that_one_is_in(python: Path, at: Callable[..., Installed]) -> None:
    installed = at(python, "folder")
    (installed.folder / ".streamlit").mkdir()
    (installed.folder / ".streamlit" / "secrets.toml").write_text("[auth")
    done = installed.winnow("serve", "--no-browser", "--port", str(free_port()))
    assert done.returncode != 0
    assert "error: the file with the login cannot be read" in done.stderr


def test_a_theme_that_is_no_toml_is_said_in_one_line(python: Path, at: Callable[..., Installed]) -> None:
    installed = at(python, "folder")
    (installed.folder / ".streamlit").mkdir()
    (installed.folder / ".streamlit" / "config.toml").write_text("[theme\n")
    done = installed.winnow("serve", "--no-browser", "--port", str(free_port()))
    assert done.returncode == 1
    assert [line.partition(" ")[0] for line in done.stderr.splitlines()[-2:]] == ["error:", "hint:"]
    assert "Traceback" not in done.stderr


def test_the_demo_says_what_is_missing_before_it_renders_anything(python: Path, at: Callable[..., Installed]) -> None:
    installed = at(python, "empty")
    for words in (["demo"], ["demo", "build-judge"], ["demo", "measure-judge"]):
        done = installed.winnow(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert "torch" in done.stderr
        assert done.stderr.splitlines()[-1].endswith("pip install '.[transformers]'")
    assert list(installed.folder.iterdir()) == []
    assert not (installed.folder.with_suffix(".workspace") / "demo").exists()


def test_the_command_works_from_any_folder_and_says_its_version(python: Path, at: Callable[..., Installed]) -> None:
    installed = at(python, "empty")
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    command = python.with_name("winnow")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"winnow {version}\n"
    for words in (["doctor"], ["run", "list"]):
        assert installed.winnow(*words).returncode == 0, words
