"""``winnow set`` and ``winnow export``: freezing what was accepted, and writing training files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli.declared import checked, own_options, own_parameters, parameters_of, taking
from backend.cli.hints import in_command
from backend.cli.output import Json, note, print_json, print_table, progress_bar, say, workspace
from backend.curation import sets as curated
from backend.curation.preview import untrainable, untrainable_line
from backend.errors import UsageError
from backend.export.exporter import ExportOptions, export_set
from backend.export.formats import FORMATS, OURS
from backend.options import Options

app = typer.Typer(help="Freeze curated sets.", no_args_is_help=True)


def as_json(row: curated.SetRow) -> dict[str, Any]:
    """A set as every listing prints it."""
    return {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "content_hash": row.content_hash,
        "counts": row.counts,
        "lineage": row.lineage,
        "created_at": row.created_at,
    }


@app.command()
def create(
    name: str,
    run: Annotated[list[int], typer.Option(help="A run; may be repeated")],
    balance: Annotated[
        bool, typer.Option("--balance", help="Leave out rows until both answers are as frequent")
    ] = False,
    seed: Annotated[int, typer.Option(help="Draws which rows --balance leaves out")] = 0,
    json: Json = False,
) -> None:
    """Freeze everything accepted in one or more runs as a new version of a set."""
    with workspace() as space:
        frozen = space.freeze(name, run, balance=curated.Balance(seed) if balance else None)
        if line := untrainable_line(untrainable(space.database, run)):
            note(line)
        if json:
            print_json(as_json(frozen))
        else:
            _report(frozen)
            say(f"next: winnow export {name} --format {OURS} --out FOLDER")


@app.command("list")
def list_sets(json: Json = False) -> None:
    """All frozen sets."""
    with workspace() as space:
        rows = [as_json(row) for row in curated.list_sets(space.database)]
    if json:
        print_json(rows)
    else:
        print_table(
            ("name", "version", "items", "content hash"),
            ((r["name"], r["version"], r["counts"].get("items"), r["content_hash"][:16]) for r in rows),
        )


@app.command()
def show(name: str, json: Json = False) -> None:
    """One set: NAME for its newest version, NAME@2 for another."""
    with workspace() as space:
        row = curated.get_set(space.database, name)
    if json:
        print_json(as_json(row))
    else:
        _report(row)


_OF_ANY = parameters_of(ExportOptions)
_FORMATS = FORMATS.usable


def _chosen(_context: typer.Context, given: dict[str, Any]) -> tuple[ExportOptions, dict[str, Options]]:
    chosen = checked(ExportOptions, {one.name: given[one.name] for one in _OF_ANY})
    return chosen, own_options(_FORMATS, given)


@taking("options", [*_OF_ANY, *own_parameters(_FORMATS)], _chosen)
def export(
    context: typer.Context,  # noqa: ARG001
    name: Annotated[str, typer.Argument(metavar="SET", help="NAME or NAME@VERSION")],
    format: Annotated[str, typer.Option(help=", ".join(FORMATS))],
    out: Annotated[Path, typer.Option(help="Folder to write")],
    options: tuple[ExportOptions, dict[str, Options]],
    json: Json = False,
) -> None:
    """Write a frozen set as training files, its manifest last."""
    chosen, own = options
    split = chosen.split
    FORMATS.named(format)
    for other in own.keys() - {format}:
        raise UsageError(f"options of format {other} are given, and the format is {format}", hint=f"--format {other}")
    with workspace() as space, progress_bar() as bar:
        row = curated.get_set(space.database, name)
        task = bar.add_task("rows", total=row.counts.get("items"))
        manifest = export_set(
            space.database,
            row,
            format=format,
            out=out,
            **dict(chosen),
            options=own.get(format),
            progress=lambda rows: bar.update(task, completed=rows),
        )
    for line in map(in_command, manifest.notes):
        note(line)
    if split and not manifest.validation_rows:
        note(f"--split {split} drew no pair for validation: there are too few; no file was written")
    if split and manifest.validation_rows == manifest.rows:
        note(f"--split {split} drew every pair for validation: there is no training file")
    if json:
        print_json(manifest.to_mapping())
    else:
        for file in manifest.to_mapping()["files"]:
            say(f"{out / file['name']}: {file['rows']} rows")


def _report(row: curated.SetRow) -> None:
    counts = ", ".join(f"{value} {name}" for name, value in row.counts.items() if value)
    say(f"{row.name}@{row.version}: {counts}")
    say(f"content {row.content_hash}")
