"""Exports that are killed, that meet each other, and that meet what somebody else put into the folder."""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.curation.sets import freeze, get_set
from backend.errors import ExportError
from backend.export import exporter
from backend.export.archive import archive
from backend.export.claim import MANIFEST, FolderClaim
from backend.export.exporter import export_samples, export_set, is_our_export
from backend.store.database import Database
from backend.store.sets import SetRow
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path_factory.mktemp("export") / "ws", images=6, videos=2)
    freeze(opened.database, "mixed", [1, 3])
    freeze(opened.database, "pictures", [1])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def frozen(space: Workspace) -> SetRow:
    return freeze(space.database, "mixed", [1, 3])


def begin(space: Workspace, out: Path, format: str, calls: int, where: str) -> int:
    """Export in a process of its own, which kills itself at its so manieth row, or rename, link or
    deletion; or, for ``wait``, stops at that row. Returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _export(space, out, format, calls, where)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - told by the exit code
        traceback.print_exc()
        os._exit(1)


def _export(space: Workspace, out: Path, format: str, calls: int, where: str) -> None:
    left = [calls]

    def before(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGSTOP if where == "wait" else signal.SIGKILL)
            return real(*arguments, **options)

        return call

    if where == "renames":
        for name in ("rename", "link", "unlink", "mkdir"):
            setattr(os, name, before(getattr(os, name)))
    else:
        exporter._held_out = before(exporter._held_out)
    database = Database(space.folder / "winnow.db")
    if format == "samples":
        export_samples(database, get_set(database, "pictures"), out)
    else:
        export_set(database, get_set(database, "mixed"), format=format, out=out, bundle=True)


def killed(space: Workspace, out: Path, format: str, calls: int, where: str = "rows") -> bool:
    """Whether it was killed, or ended before its time came."""
    _, status = os.waitpid(begin(space, out, format, calls, where), 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def whole(out: Path) -> bool:
    """Whether the folder holds one whole export, all of it readable, and nothing else."""
    manifest = json.loads((out / MANIFEST).read_text())
    files = {file["name"] for file in manifest["files"]}
    named = files | {MANIFEST} | ({"media"} if manifest["media"] else set())
    return {path.name for path in out.iterdir()} == named


@pytest.mark.parametrize("format", ["jsonl", "sharegpt-frames"])
def test_an_export_that_was_killed_can_be_repeated_into_its_folder(
    space: Workspace, frozen: SetRow, tmp_path: Path, format: str
) -> None:
    out = tmp_path / "o"
    assert killed(space, out, format, 3)
    assert list(out.iterdir()), "what it left is what this is about"
    assert not is_our_export(out)
    export_set(space.database, frozen, format=format, out=out, bundle=True)
    assert whole(out)


def test_an_export_that_is_killed_leaves_the_earlier_one_as_it_was(
    space: Workspace, frozen: SetRow, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    export_set(space.database, frozen, format="lightrft", out=out, bundle=True)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert killed(space, out, "jsonl", 3)
    assert {path: path.read_bytes() for path in before} == before
    assert is_our_export(out)
    assert json.loads((out / MANIFEST).read_text())["format"] == "lightrft"


@pytest.mark.slow
def test_a_kill_while_exports_are_exchanged_loses_neither(space: Workspace, frozen: SetRow, tmp_path: Path) -> None:
    """At every rename and deletion: the folder holds one of both, or what the next export makes one of."""
    seen = set()
    for calls in range(1, 200):
        out = tmp_path / f"o{calls}"
        export_set(space.database, frozen, format="jsonl", out=out, bundle=True)
        if not killed(space, out, "sharegpt", calls, "renames"):
            break
        # What the next export finds; it fails, and so leaves what there was.
        with pytest.raises(RuntimeError), FolderClaim(out):
            raise RuntimeError
        assert whole(out)
        made = json.loads((out / MANIFEST).read_text())
        named = {path for row in rows_of(out, made) for path in row}
        assert named == {path.relative_to(out).as_posix() for path in (out / "media").iterdir()}
        seen.add(made["format"])
    assert seen == {"jsonl", "sharegpt"}


def rows_of(out: Path, manifest: dict[str, object]) -> list[list[str]]:
    if manifest["format"] == "jsonl":
        lines = (out / "winnow.jsonl").read_text().splitlines()
        return [[row["first"], row["second"]] for row in map(json.loads, lines)]
    rows = [row for name in ("t2i", "t2v") for row in json.loads((out / f"winnow_{name}.json").read_text())]
    return [row.get("images") or row["videos"] for row in rows]


def test_two_exports_at_once_into_one_folder_and_the_second_is_told_so(
    space: Workspace, frozen: SetRow, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    first = begin(space, out, "jsonl", 3, "wait")
    os.waitpid(first, os.WUNTRACED)
    try:
        with pytest.raises(ExportError, match=rf"process {first} of .* is exporting") as caught:
            export_set(space.database, frozen, format="jsonl", out=out)
    finally:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
    assert caught.value.hint and "\n" not in caught.value.message
    export_set(space.database, frozen, format="jsonl", out=out)
    assert whole(out)


def test_samples_that_were_killed_leave_the_earlier_file_and_can_be_repeated(space: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "filtered.json"
    file.write_text("earlier")
    (tmp_path / "thesis.tex").write_text("mine")
    assert killed(space, file, "samples", 3)
    assert file.read_text() == "earlier"
    export_samples(space.database, freeze(space.database, "pictures", [1]), file)
    assert json.loads(file.read_text())
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"filtered.json", "filtered_stats.txt", "thesis.tex"}


LINKED = [
    "winnow.jsonl",
    "winnow.jsonl.partial",
    "media",
    "media.partial",
    MANIFEST,
    "manifest.json.partial",
    ".winnow-export",
    ".winnow-export-done",
]


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("name", LINKED)
def test_a_link_in_the_folder_leads_no_export_to_somebody_elses_files(
    space: Workspace, frozen: SetRow, tmp_path: Path, name: str, earlier: bool
) -> None:
    out, other = tmp_path / "o", tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    if earlier:
        export_set(space.database, frozen, format="parquet", out=out)
    out.mkdir(exist_ok=True)
    if (out / name).exists():
        (out / name).unlink()
    (out / name).symlink_to(other if "media" in name or "done" in name else other / "thesis.tex")
    try:
        export_set(space.database, frozen, format="jsonl", out=out, bundle=True)
    except ExportError as error:
        assert error.hint
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]
    assert (other / "thesis.tex").read_text() == "mine"


def test_a_file_of_somebody_elses_is_not_replaced_by_a_later_export(
    space: Workspace, frozen: SetRow, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    export_set(space.database, frozen, format="lightrft", out=out)
    (out / "winnow.jsonl").write_text("mine")
    with pytest.raises(ExportError, match=r"winnow\.jsonl is not of the export"):
        export_set(space.database, frozen, format="jsonl", out=out)
    assert (out / "winnow.jsonl").read_text() == "mine"
    assert is_our_export(out)


@pytest.mark.parametrize("name", [MANIFEST, ".winnow-export"])
def test_a_fifo_in_the_folder_is_refused_and_nobody_waits_for_it(
    space: Workspace, frozen: SetRow, tmp_path: Path, name: str
) -> None:
    os.mkfifo(tmp_path / name)
    signal.alarm(20)
    try:
        with pytest.raises(ExportError):
            export_set(space.database, frozen, format="jsonl", out=tmp_path)
    finally:
        signal.alarm(0)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_samples_do_not_take_the_place_of_a_device(space: Workspace, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "samples.json")
    with pytest.raises(ExportError, match="no file that can be replaced"):
        export_samples(space.database, freeze(space.database, "pictures", [1]), tmp_path / "samples.json")
    assert [path.name for path in tmp_path.iterdir()] == ["samples.json"]


def test_an_archive_holds_what_the_manifest_names_and_no_link(space: Workspace, frozen: SetRow, tmp_path: Path) -> None:
    out = tmp_path / "o"
    export_set(space.database, frozen, format="jsonl", out=out, bundle=True)
    (out / "link.txt").symlink_to("/etc/passwd")
    (out / "media" / "link.png").symlink_to("/etc/passwd")
    media = {f"o/media/{path.name}" for path in (out / "media").iterdir() if not path.is_symlink()}
    with zipfile.ZipFile(archive(out)) as packed:
        assert set(packed.namelist()) == {"o/manifest.json", "o/winnow.jsonl", *media}
        assert packed.testzip() is None
        assert packed.read("o/winnow.jsonl") == (out / "winnow.jsonl").read_bytes()
    first = archive(out).stat().st_ino
    assert archive(out).stat().st_ino == first
    time.sleep(0.02)  # a tick of the file system's clock
    export_set(space.database, frozen, format="jsonl", out=out)
    with zipfile.ZipFile(archive(out)) as packed:
        assert set(packed.namelist()) == {"o/manifest.json", "o/winnow.jsonl"}
