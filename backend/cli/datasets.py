"""``winnow dataset``: add, list, show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli.declared import own_options, own_parameters, taking
from backend.cli.output import Json, print_json, print_table, progress_bar, say, workspace
from backend.datasets.registry import SOURCES, with_options
from backend.ingest.importer import import_dataset
from backend.options import Options
from backend.store.datasets import DatasetRow

app = typer.Typer(help="Add datasets and look at them.", no_args_is_help=True)
SHOWN_ISSUES = 20
AllowLinksTo = Annotated[
    list[Path] | None,
    typer.Option(metavar="DIR", help="Folder outside of the data root that its symbolic links may lead to; repeatable"),
]


def as_json(dataset: DatasetRow) -> dict[str, Any]:
    """A dataset as every listing prints it."""
    counts = dataset.counts
    return {
        "id": dataset.id,
        "name": dataset.name,
        "source": dataset.source,
        "spec": dataset.spec,
        "data_root": dataset.data_root,
        "links_to": list(dataset.links_to),
        "status": dataset.status,
        "fingerprint": dataset.fingerprint,
        **{
            name: counts.get(name, 0)
            for name in ("rows", "pairs", "ties", "duplicates", "conflicts", "missing", "unreadable", "broken")
        },
        # Those that can be judged, as they were looked at last.
        "pairs": dataset.judgeable,
    }


_SOURCES = SOURCES.usable


@app.command()
@taking("options", own_parameters(_SOURCES), lambda _context, given: own_options(_SOURCES, given))
def add(
    context: typer.Context,  # noqa: ARG001
    source: Annotated[str, typer.Argument(metavar="SOURCE:PATH[,SOURCE:PATH…]", help=f"Sources: {', '.join(SOURCES)}")],
    name: Annotated[str, typer.Option(help="Name of the dataset in this workspace")],
    options: dict[str, Options],
    data_root: Annotated[Path | None, typer.Option(help="Folder that the media paths are relative to")] = None,
    allow_links_to: AllowLinksTo = None,
    check_media: Annotated[bool, typer.Option(help="Look whether every media file is there and can be opened")] = True,
    json: Json = False,
) -> None:
    """Import a dataset and print its integrity report."""
    with workspace() as space, progress_bar() as bar:
        task = bar.add_task("rows", total=None)
        dataset = import_dataset(
            space.database,
            name=name,
            spec=with_options(source, options),
            data_root=data_root,
            links_to=allow_links_to or None,
            check_media=check_media,
            progress=lambda rows: bar.update(task, completed=rows),
        )
    if json:
        print_json(as_json(dataset))
    else:
        _report(dataset)
        if dataset.judgeable:
            say(f"next: winnow run start --dataset {name} --model MODEL --wait")
        else:
            say(f"no pair can be judged; `winnow dataset show {name}` says why")


@app.command("list")
def list_datasets(json: Json = False) -> None:
    """All datasets."""
    with workspace() as space:
        rows = [as_json(dataset) for dataset in space.datasets.list()]
    if json:
        print_json(rows)
    else:
        columns = ("name", "source", "status", "pairs", "ties", "duplicates", "missing")
        print_table(columns, ([row[column] for column in columns] for row in rows))


@app.command()
def show(name: str, json: Json = False) -> None:
    """One dataset, with what was wrong in its files."""
    with workspace() as space:
        dataset = space.datasets.get(name)
        issues = space.datasets.issues(dataset.id)
        if json:
            print_json({**as_json(dataset), "issues": list(issues)})
            return
        _report(dataset)
        for number, issue in enumerate(issues):
            if number == SHOWN_ISSUES:
                say("… `--json` shows all")
                break
            say(f"{issue['code']:<11}{issue['file']} row {issue['row']}: {issue['message']}")


def _report(dataset: DatasetRow) -> None:
    row = as_json(dataset)
    say(f"{dataset.name} ({dataset.source}, {dataset.status})")
    if dataset.links_to:
        say(f"symbolic links may lead to {', '.join(dataset.links_to)}")
    print_table(
        ("rows", "pairs", "ties", "duplicates", "conflicts", "missing", "unreadable", "broken"),
        [
            [
                row[column]
                for column in ("rows", "pairs", "ties", "duplicates", "conflicts", "missing", "unreadable", "broken")
            ]
        ],
    )
