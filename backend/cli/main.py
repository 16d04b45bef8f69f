"""The command line's edge: global options, subcommands, and errors as one line and a hint."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer

from backend.cli import datasets, demo, doctor, files, loop, review, runs, serve, sets, train
from backend.cli.hints import in_command, message_of
from backend.cli.output import given, note, say
from backend.errors import UsageError, WinnowError
from backend.foreign_text import brief, quoted
from backend.terminal import safe_streams

app = typer.Typer(
    name="winnow",
    help="See, steer and close the rejection-sampling loop of generative reward models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(demo.app, name="demo")
app.add_typer(datasets.app, name="dataset")
app.add_typer(runs.app, name="run")
app.add_typer(review.app, name="review")
app.add_typer(sets.app, name="set")
app.add_typer(train.app, name="train")
app.add_typer(loop.app, name="loop")
app.command("export")(sets.export)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.command("convert", no_args_is_help=True)(files.convert)
app.command("prepare", no_args_is_help=True)(files.prepare)


def _say_version(asked: bool) -> None:
    if asked:
        say(f"winnow {version('winnow')}")
        raise typer.Exit


_LONGEST_USAGE = 400
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@app.callback()
def _global_options(
    workspace: Path = typer.Option(None, help="Workspace folder; default WINNOW_WORKSPACE or ./winnow-workspace"),
    debug: bool = typer.Option(False, help="Show tracebacks"),
    version: bool = typer.Option(False, "--version", help="Show the version", is_eager=True, callback=_say_version),
) -> None:
    """``--workspace`` and ``--debug`` may stand anywhere on the command line."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code.

    0 done; 1 failed with one line and a hint; 2 wrong usage; 130 interrupted. Wrong usage is what
    can be told from the words alone: an option that is not there, a value that none can be (a format,
    an engine, a number out of range), options that exclude each other. What is only found by looking
    is a failure: a file that is missing or holds something else, a name that this workspace lacks, and
    a source or a policy that is none, because both may be words or files.
    """
    with safe_streams():
        return _run(list(sys.argv[1:] if arguments is None else arguments))


def _run(words: list[str]) -> int:
    try:
        result = app(_take_globals(words), standalone_mode=False, prog_name="winnow")
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except typer.Exit as leave:
        return leave.exit_code
    except WinnowError as error:
        _trace()
        _show(message_of(error), in_command(error.hint))
        return 2 if isinstance(error, UsageError) else 1
    except UnicodeEncodeError as error:
        _trace()
        # Words of the command line that are no UTF-8 come in as half surrogate pairs.
        _show(f"{quoted(error.object)} is not UTF-8", "give another name, or write it in UTF-8")
        return 1
    except BrokenPipeError:
        return _unread()
    except SystemExit as leave:
        # How Typer and Rich, which catch it first, leave when they meet a broken pipe.
        if isinstance(leave.__context__, BrokenPipeError):
            return _unread()
        raise
    except Exception as error:  # noqa: BLE001 - the last edge before the user
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            # A usage error of the parser, whose class Typer took over from Click and made private. Rich
            # lays it out, and its words quote the command line.
            usage: Any = error
            usage.message = brief(usage.message, _LONGEST_USAGE)
            usage.show()
            return int(usage.exit_code)
        _trace()
        if isinstance(error, OSError) and error.errno in _FULL:
            _drop_output()
            _show(f"the disk is full ({error.strerror})", "free some space and try again")
            return 1
        line = brief((str(error) or type(error).__name__).splitlines()[0])
        if isinstance(error, RuntimeError) and line.startswith("Symlink loop"):
            # Path.resolve, up to Python 3.12.
            _show(line, "its links lead to each other; give the file itself")
            return 1
        _show(f"unexpected: {type(error).__name__}: {line}", "run again with --debug and report it")
        return 1


def _trace() -> None:
    """The traceback of the error that is being handled, where it was asked for."""
    if given.debug:
        sys.stderr.write(traceback.format_exc())


def _unread() -> int:
    """The reader of our output went away (`winnow … | head`): nothing is wrong."""
    _drop_output()
    return 0


def _drop_output() -> None:
    """Send what is still to be written nowhere, or Python would fail to flush it at its exit."""
    with suppress(OSError, ValueError):  # no file stands behind it in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show(message: str, hint: str) -> None:
    note(f"error: {message}")
    if hint:
        note(f"hint: {hint}")


def _take_globals(words: list[str]) -> list[str]:
    """Take ``--workspace`` and ``--debug`` out, and spell ``--batch_size`` as ``--batch-size``."""
    given.workspace, given.debug = None, False
    rest: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--":
            return rest + words[position:]
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            word = name.replace("_", "-") + equals + value
        if word == "--debug":
            given.debug = True
        elif word == "--workspace":
            position += 1
            given.workspace = _folder(words[position] if position < len(words) else "")
        elif word.startswith("--workspace="):
            given.workspace = _folder(word.partition("=")[2])
        else:
            rest.append(word)
        position += 1
    return rest


def _folder(word: str) -> Path:
    # Empty is what `--workspace "$UNSET"` gives, and would be the present folder.
    if not word:
        raise UsageError("--workspace needs a folder", hint="leave it out for ./winnow-workspace")
    return Path(word)
