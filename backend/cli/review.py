"""``winnow review``: add, import, export, undo, queue."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from backend.cli import queues
from backend.cli.output import Json, print_json, print_lines, say, workspace
from backend.errors import ReviewError, UsageError
from backend.export.files import JsonLines
from backend.media.opening import open_regular
from backend.workspace import Workspace

app = typer.Typer(help="Record what people decide about predictions.", no_args_is_help=True)
app.add_typer(queues.app, name="queue")

Index = Annotated[int | None, typer.Option(help="0-based row of the pair in its dataset")]
Key = Annotated[str | None, typer.Option(help="Key of the pair")]
OrderOption = Annotated[str | None, typer.Option(help="Shown order: dataset or swapped")]
Sample = Annotated[int, typer.Option(min=0)]
Prediction = Annotated[int | None, typer.Option(help="Id of the prediction")]
Reviewer = Annotated[str | None, typer.Option(help="Who decides; default: your login name")]


@app.command()
def add(
    run: int,
    ruling: Annotated[str, typer.Option(help="accept, reject, relabel or flag; note adds one to your ruling")],
    to: Annotated[str | None, typer.Option(help="New label of a relabel: first, second or tie, as shown")] = None,
    prediction: Prediction = None,
    index: Index = None,
    key: Key = None,
    order: OrderOption = None,
    sample: Sample = 0,
    note: str = "",
    tag: Annotated[list[str] | None, typer.Option(help="May be repeated")] = None,
    reviewer: Reviewer = None,
    json: Json = False,
) -> None:
    """Rule on one prediction. Rulings are never overwritten; the newest counts."""
    with workspace() as space:
        target = _find(space, run, prediction, index, key, order, sample)
        review = space.rulings.add(
            target, ruling, relabel=to, note=note, tags=tuple(tag or ()), reviewer=reviewer or getpass.getuser()
        )
        _show(space, target, review.id, json)


@app.command()
def undo(
    run: int,
    prediction: Prediction = None,
    index: Index = None,
    key: Key = None,
    order: OrderOption = None,
    sample: Sample = 0,
    reviewer: Reviewer = None,
    json: Json = False,
) -> None:
    """Take back the newest ruling on a prediction, by another row."""
    with workspace() as space:
        target = _find(space, run, prediction, index, key, order, sample)
        review = space.rulings.add(target, "undo", reviewer=reviewer or getpass.getuser())
        _show(space, target, review.id, json)


@app.command("import")
def import_file(run: int, file: Path) -> None:
    """Store rulings from a JSON-lines file; storing the same file again adds nothing.

    All lines are checked first: a file with a broken line changes nothing. Rulings are stored a few
    hundred at a time, so that nobody who reviews meanwhile waits. An import that is cut off leaves its
    first part stored; import the same file again, and the rest follows.
    """
    with workspace() as space:
        space.runs.get(run)
        count = space.ruling_rows.import_rows(run, _lines(file), patience=space.patience)
        say(f"{count} rulings stored")


@app.command("export")
def export_file(run: int, file: Annotated[Path | None, typer.Argument()] = None) -> None:
    """Write all rulings on a run as JSON lines, to a file or to standard output."""
    with workspace() as space:
        space.runs.get(run)
        rows = space.ruling_rows.iter_export(run)
        if file is None:
            print_lines(rows)
            return
        with JsonLines(file) as stream:
            for row in rows:
                stream.add(row)
        say(f"{stream.rows} rulings written to {file}")


def _lines(file: Path) -> Iterator[str]:
    """The lines of a file, empty ones too, so that they can be told by their number."""
    number = 0
    try:
        with open_regular(file) as stream:
            for number, line in enumerate(stream, start=1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise ReviewError(f"{file}:{number}: is not UTF-8", hint="one JSON object a line is wanted") from error
    except OSError as error:
        raise ReviewError(
            f"{file}: cannot be read ({error.strerror})", hint="`winnow review export RUN FILE` writes such a file"
        ) from error


def _find(
    space: Workspace,
    run: int,
    prediction: int | None,
    index: int | None,
    key: str | None,
    order: str | None,
    sample: int,
) -> int:
    space.runs.get(run)
    if sum(value is not None for value in (prediction, index, key)) != 1:
        raise UsageError("name one prediction by --prediction, --index or --key")
    return space.predictions.find(run, prediction=prediction, index=index, key=key, order=order, sample=sample)


def _show(space: Workspace, prediction: int, review: int, json: bool) -> None:
    state = space.predictions.state(prediction)
    if json:
        print_json({"review": review, "prediction": prediction, **state})
    else:
        say(f"review {review}: prediction {prediction} is now {state['effective']}")
