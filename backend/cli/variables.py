"""Variables of existing scripts, which commands in their place read where an option is not given.

Names such as ``LR`` or ``OUTPUT_DIR`` belong to nobody. So only commands that stand for such a script
read them, and each says which it took.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import typer

from backend.cli.output import note
from backend.errors import UsageError


def variables_used(context: typer.Context) -> dict[str, str]:
    """The variables that gave an option its value, by the option."""
    used = {}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "ENVIRONMENT":
            used[max(parameter.opts, key=len)] = str(parameter.envvar)
    return used


def note_variables(context: typer.Context, unread: Collection[str] = ()) -> None:
    """Say which variables were taken.

    Args:
        unread: Options whose variable was left alone after all.
    """
    used = variables_used(context)
    taken = [f"{used[one]}={os.environ[used[one]]}" for one in used if one not in unread]
    if taken:
        note(f"from the environment: {', '.join(' '.join(word.split())[:200] for word in taken)}")


@contextmanager
def variables_named(context: typer.Context) -> Iterator[None]:
    """Name the variable, not the option, where a value of the environment is refused.

    Raises:
        UsageError: As inside, told of the variable.
    """
    try:
        yield
    except UsageError as error:
        option, _, problem = error.message.partition(": ")
        variable = variables_used(context).get(option)
        if variable is None:
            raise
        hint = error.hint or f"it stands for {option}, which wins where it is given"
        raise UsageError(f"{variable}: {problem}", hint=hint) from error
