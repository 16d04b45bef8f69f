"""``winnow review queue``: a command for each kind of queue, with the options of the kind."""

from __future__ import annotations

import getpass
from dataclasses import replace
from typing import Annotated

import typer

from backend.cli.declared import checked, parameters_of, taking
from backend.cli.output import Json, print_json, say, workspace
from backend.curation.kinds.base import KindOptions, QueueKind
from backend.curation.kinds.registry import offered
from backend.curation.queues import NewQueue

app = typer.Typer(help="Make a queue of predictions, which the page Review hands out.", no_args_is_help=True)


def _add(kind: QueueKind) -> None:
    @app.command(kind.name, help=kind.purpose)
    @taking("options", parameters_of(kind.options), lambda _context, given: checked(kind.options, given))
    def make(
        context: typer.Context,  # noqa: ARG001 - for its options
        options: KindOptions,
        run: Annotated[list[int] | None, typer.Option(help="Run to choose from; may be repeated; default: all")] = None,
        title: Annotated[str, typer.Option(help="What the list of queues calls it")] = kind.label,
        blind: Annotated[bool, typer.Option(help="Hide verdict and label until one has chosen")] = False,
        rulings_wanted: Annotated[
            int, typer.Option(min=1, max=2, help="2 for independent rulings by two reviewers")
        ] = 1,
        reviewer: Annotated[str | None, typer.Option(help="Who makes it; default: your login name")] = None,
        json: Json = False,
    ) -> None:
        new = NewQueue(
            kind=kind.name,
            title=title,
            options=dict(options),
            run_ids=tuple(run or ()),
            blind=blind,
            rulings_wanted=rulings_wanted,
        )
        with workspace() as space:
            for number in new.run_ids:
                space.runs.get(number)
            maker = replace(space.person, name=reviewer or getpass.getuser())
            queue = space.acting_as(maker).make_queue(new)
        if json:
            print_json({"id": queue.id, "kind": queue.kind, "title": queue.title, "items": queue.items, **queue.spec})
        else:
            say(f"queue {queue.id} holds {queue.items} predictions; review them on the page Review")


for _kind in offered().values():
    _add(_kind)
