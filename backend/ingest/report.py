"""The integrity report of an import: what is counted, and what is said about which row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from backend.domain.pairs import MediaKind, Order
from backend.media.paths import name_on_disk
from backend.store.datasets import HeldPair, NewIssue, NewPair

COUNTS = ("rows", "pairs", "duplicates", "conflicts", "ties", "missing", "unreadable", "broken")
"""Each but the first two is also the number of issues of that code; a conflict is a duplicate whose
preference contradicts that of the pair kept, and counts as both. Issues of the code ``note`` are no fault
and are not counted."""

_CODE_COUNTS = {"duplicate": "duplicates", "conflict": "conflicts", "tie": "ties"}
_KEPT = re.compile(r"\bindex (\d+), which is kept")
_MOST_NAMED = 200
"""Keys that are left out and named; a file may make up any number."""


class Read(NamedTuple):
    """One row of any of the files; ``pair`` is ``None`` when it is broken.

    Attributes:
        ignored: Keys that its source left out.
    """

    file: str
    row: int
    pair: NewPair | None
    message: str
    ignored: tuple[str, ...]


class Report:
    """Counts, and makes the issues that are stored."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self._named: set[tuple[str, str]] = set()

    def issue(self, code: str, read: Read, message: str) -> NewIssue:
        """One issue, counted unless it is a note."""
        if code != "note":
            self.counts[_CODE_COUNTS.get(code, code)] += 1
        # What a file holds may be no text; a report must be, or it could not be stored.
        printable = message.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
        return NewIssue(code, read.file, read.row, printable)

    def duplicate(self, read: Read, pair: NewPair, stored: HeldPair) -> Iterator[NewIssue]:
        """That a pair is there already, and whether the two rows contradict each other."""
        yield self.issue("duplicate", read, f"the same pair as index {stored.idx}, which is kept")
        order = Order.DATASET if pair.first == stored.first else Order.SWAPPED
        preference = order.turn(pair.preference)
        if preference.value != stored.preference:
            yield self.issue(
                "conflict",
                read,
                f"prefers {preference.value} where index {stored.idx}, which is kept, prefers {stored.preference}",
            )

    def notes(self, read: Read, looked_in: Path | None) -> Iterator[NewIssue]:
        """What is harmless and said all the same: keys left out, each once a file, and other names.

        Args:
            looked_in: The data root; ``None`` where media are not looked at.
        """
        new = [name for name in read.ignored if (read.file, name) not in self._named]
        new = new[: max(0, _MOST_NAMED - len(self._named))]
        if new:
            self._named.update((read.file, name) for name in new)
            keys = ", ".join(repr(name[:80]) for name in new)
            yield self.issue("note", read, f"not read, here and in what follows: {keys}")
        if read.pair is None or looked_in is None:
            return
        for path in (read.pair.first, read.pair.second):
            if name_on_disk(looked_in, path) != path:
                line = f"{path}: the file's name differs only in Unicode form"
                yield self.issue("note", read, line)


def faults(pair: NewPair | None, problems: dict[tuple[str, MediaKind], tuple[str, str]]) -> dict[str, str]:
    """``missing`` and ``unreadable`` to a line that names the files of this pair which are."""
    if pair is None or not problems:
        return {}
    found: dict[str, str] = {}
    for path in dict.fromkeys((pair.first, pair.second)):
        if problem := problems.get((path, pair.kind)):
            code, message = problem
            found[code] = f"{found[code]}; {message}" if code in found else message
    return found


def kept_index(message: str) -> int | None:
    """The row of the pair that was kept, in the message of a duplicate or a conflict."""
    found = _KEPT.search(message)
    return int(found[1]) if found else None
