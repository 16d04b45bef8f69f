"""Nothing but ``backend/files`` creates files and folders: whoever does it elsewhere forgets the link that
stands in the way, the half file that a kill leaves, or who may read it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("backend", "dashboard", "pages")
HOME = ROOT / "backend" / "files"

ALLOWED = {
    # Links to our own packages, under a random name.
    "backend/jobs/own_path.py": {"symlink_to"},
    # Run in LightRFT's interpreter, without Winnow: into a folder that was just made, or with "x".
    "backend/training/lightrft/finish.py": {"copytree", "save_pretrained", "open", "os.replace"},
    # Into a folder that was just made, by libraries that only take paths.
    "backend/training/local/checkpoints.py": {"save_file", "os.replace"},
    "backend/training/local/model.py": {"save_pretrained"},
    "backend/training/local/journal.py": {"SummaryWriter"},
    # The demo's judge, in its own work folder.
    "backend/demo/judge_model.py": {"save_pretrained"},
    "backend/demo/judge_training.py": {"save_pretrained"},
    # A member of a zip file that is written already.
    "backend/export/archive.py": {"open"},
    # Secrets for this user alone, also where a group shares the workspace; with O_EXCL and O_NOFOLLOW.
    "backend/jobs/handover.py": {"os.open", "fdopen", "mkdir"},
    # A workspace that cannot be written, copied into a temporary folder of our own.
    "backend/store/snapshot.py": {"copyfile"},
    # /dev/null in the place of standard output.
    "backend/cli/main.py": {"os.open"},
}
_METHODS = {
    "write_text",
    "write_bytes",
    "touch",
    "mkdir",
    "symlink_to",
    "hardlink_to",
    "makedirs",
    "mkstemp",
    "mkdtemp",
    "NamedTemporaryFile",
    "copyfile",
    "copy",
    "copy2",
    "copytree",
    "move",
    "save_file",
    "save_pretrained",
    "SummaryWriter",
    "ParquetWriter",
    "write_table",
    "to_csv",
    "to_parquet",
    "FileHandler",
}
_OS = {"open", "link", "symlink", "replace", "rename", "renames", "mkdir", "mkfifo", "mknod"}
_MODULES = {"shutil", "pq"}
_READ_ONLY = re.compile(r"\bO_RDONLY\b|\b_READING\b|\b_PASSING\b")
_OPEN_FILE = re.compile(r"(stream|buffer|target)$")


def found_in(source: str) -> list[tuple[int, str]]:
    """Calls that create something: their lines and names."""
    return sorted(_findings(ast.parse(source)))


def _findings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        owner, _, last = name.rpartition(".")
        if owner == "os" and last in _OS:
            if last == "open" and _READ_ONLY.search(ast.unparse(node)):
                continue
            yield node.lineno, name
        elif _creates(node, owner, last) and not _into_open_file(node, last):
            yield node.lineno, last


def _creates(node: ast.Call, owner: str, last: str) -> bool:
    if last in ("copy", "move", "write_table"):  # not those of dictionaries and of writers
        return owner in _MODULES
    if last in ("open", "fdopen", "ZipFile"):
        return _writes(node)
    return last in _METHODS or (last == "save" and _is_picture(node))


def _into_open_file(node: ast.Call, name: str) -> bool:
    place = 1 if name == "write_table" else 0
    if len(node.args) <= place:
        return False
    return _OPEN_FILE.search(ast.unparse(node.args[place])) is not None


def _writes(node: ast.Call) -> bool:
    said = [*node.args[:2], *(word.value for word in node.keywords if word.arg == "mode")]
    modes = [one.value for one in said if isinstance(one, ast.Constant)]
    return any(isinstance(mode, str) and re.fullmatch(r"[rwxabt+]*[wxa+][bt+]*", mode) for mode in modes)


def _is_picture(node: ast.Call) -> bool:
    named = {word.arg for word in node.keywords}
    text = any(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in node.args)
    return text or bool(named & {"format", "quality"})


def test_no_module_but_the_one_creates_files_or_folders() -> None:
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert len(paths) > 200
    found = [
        f"{name}:{line}: {what}"
        for path in paths
        if HOME not in path.parents
        for name in [path.relative_to(ROOT).as_posix()]
        for line, what in found_in(path.read_text(encoding="utf-8"))
        if what not in ALLOWED.get(name, ())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "path.write_text('a')",
        "path.open('w', encoding='utf-8')",
        "open(path, mode='ab')",
        "path.open('r+b')",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "os.replace(one, other)",
        "folder.mkdir(parents=True)",
        "os.makedirs(folder)",
        "shutil.copyfile(one, other)",
        "shutil.copy(one, other)",
        "tempfile.mkdtemp(dir=out)",
        "image.save(path, format='WEBP')",
        "image.save(path, 'JPEG')",
        "pq.write_table(table, path)",
        "pq.ParquetWriter(path, schema)",
        "zipfile.ZipFile(path, 'w')",
        "av.open(str(path), 'w', format='mp4')",
        "logging.FileHandler(path)",
    ],
)
def test_a_file_that_is_created_by_hand_is_found(source: str) -> None:
    assert found_in(source)


@pytest.mark.parametrize(
    "source",
    [
        "path.open('rb')",
        "os.open(folder, os.O_RDONLY | os.O_DIRECTORY)",
        "path.open(encoding='utf-8')",
        "image.save(buffer, 'JPEG', quality=90)",
        "image.save(file.stream, format='WEBP')",
        "self._loops.save(self.spec, state)",
        "pq.write_table(table, file.stream)",
        "pq.ParquetWriter(self.stream, schema)",
        "zipfile.ZipFile(file.stream, 'w')",
        "av.open(target, 'w', format='mp4')",
        "webbrowser.open(url)",
        "values = given.copy()",
        "tempfile.TemporaryDirectory(prefix='winnow-')",
    ],
)
def test_what_creates_nothing_is_let_be(source: str) -> None:
    assert not found_in(source)
