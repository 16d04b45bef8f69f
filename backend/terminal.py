"""What is written to a terminal: never a character that acts on it.

The writers of commands make each text harmless before they lay it out. Everything else that writes, such
as tracebacks, warnings, usage errors and the logs of libraries, goes through :class:`SafeStream`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from backend.foreign_text import visible


class SafeStream:
    """A text stream in front of another one, whose text is made :func:`visible`.

    Rich writes to the stream behind it, whose colours and cursor it moves itself: what is given to Rich
    must be harmless already. To everything else this is no terminal, so that nothing else colours.
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream  # by this name Rich finds it

    def write(self, text: str) -> int:
        """Write the text, made visible; returns the length of what was given."""
        self.rich_proxied_file.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def isatty(self) -> bool:
        """Never: what is written here is not to be coloured."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


@contextmanager
def safe_streams() -> Iterator[None]:
    """Standard output and standard error as safe streams, until the end of the block."""
    before = sys.stdout, sys.stderr
    for stream in before:
        # A terminal that is not UTF-8 must not make an error of a caption.
        with suppress(AttributeError, OSError, ValueError):
            cast(Any, stream).reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (cast(TextIO, SafeStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
