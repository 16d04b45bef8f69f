"""A dataset into the store, streaming, with its integrity report.

Pairs never change once a dataset is ready: runs, rulings and exports refer to them. Adding the same
files again therefore looks at the media anew and writes a new report, and adds nothing; files that
have changed are refused. An import that was cut off goes on where rows are missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from backend.datasets.registry import BrokenRow, Source, parse_spec
from backend.domain.pairs import MediaKind, Order, Preference
from backend.errors import DatasetError, MediaError, UsageError
from backend.ingest.convert import find_data_root, new_pair
from backend.ingest.media_check import MediaCheck
from backend.store.database import Database
from backend.store.datasets import DatasetRow, Datasets, HeldPair, NewIssue, NewPair

LONGEST_NAME = 200
CHUNK = 20_000  # larger ones dirty fewer pages of the key index in all, and take more memory
CHUNK_WITH_MEDIA = 500  # smaller, so that progress shows while files are opened

COUNTS = (
    "rows", "pairs", "duplicates", "conflicts", "ties", "missing", "unreadable", "broken",
)  # fmt: skip
"""The report. Each but the first two is also the number of issues of that code; a conflict is a
duplicate whose preference contradicts that of the pair kept, and counts as both."""

_KEPT = re.compile(r"\bindex (\d+), which is kept")
_CODE_COUNTS = {"duplicate": "duplicates", "conflict": "conflicts", "tie": "ties"}


class _Read(NamedTuple):
    """One row of any of the files; ``pair`` is ``None`` when it is broken."""

    file: str
    row: int
    pair: NewPair | None
    message: str


def import_dataset(
    db: Database,
    *,
    name: str,
    spec: str,
    data_root: Path | None = None,
    kind: MediaKind | None = None,
    check_media: bool = True,
    progress: Callable[[int], None] | None = None,
) -> DatasetRow:
    """Read a dataset's files into the store.

    Args:
        spec: ``SOURCE:PATH[,SOURCE:PATH…]``.
        data_root: Where the media are; by default where the source keeps them. Several files with
            different folders are given their common parent.
        kind: The only medium that is wanted; any when ``None``.
        check_media: Open every medium. One that is missing or unreadable is reported, and its pair
            stored all the same, marked so.
        progress: Called with the number of rows read so far.

    Returns:
        The dataset, ready, with the integrity report in ``counts``.

    Raises:
        DatasetError: Unknown source, no such file, no usable row, a row about another medium than
            is wanted, files that changed since an earlier import, or the name is another dataset's.
        UsageError: The name is empty, or longer than a row's.
    """
    if not name.strip():
        raise UsageError("a dataset needs a name", hint="--name NAME")
    if len(name) > LONGEST_NAME:
        raise UsageError(
            f"a dataset's name of {len(name)} characters is too long",
            hint=f"--name NAME, of {LONGEST_NAME} at most",
        )
    parts = parse_spec(spec)
    for _, path in parts:
        if not path.is_file():
            raise DatasetError(f"{path}: no such file", hint="the form is SOURCE:PATH")
    root, prefixes = find_data_root(parts, data_root)
    return _Import(db, name, parts, root, prefixes, data_root is not None, kind).run(
        check_media, progress or (lambda _rows: None)
    )


class _Import:
    def __init__(
        self,
        db: Database,
        name: str,
        parts: list[tuple[Source, Path]],
        root: Path,
        prefixes: list[str],
        root_given: bool,
        kind: MediaKind | None,
    ) -> None:
        self._store = Datasets(db)
        self._name = name
        self._parts = parts
        self._root = root
        self._prefixes = prefixes
        self._root_given = root_given
        self._kind = kind
        self._spec = ",".join(f"{source.name}:{path}" for source, path in parts)
        self._counts = dict.fromkeys(COUNTS, 0)
        self._digest = hashlib.sha256()

    def run(self, check_media: bool, progress: Callable[[int], None]) -> DatasetRow:
        rows = self._rows()
        # The dataset is made when the first usable row is seen: a file without one leaves no trace.
        before, usable = _until_usable(rows)
        if not usable:
            first = f"; {before[0].file} row {before[0].row}: {before[0].message}" if before else ""
            raise DatasetError(
                f"{self._parts[0][1]}: no usable row{first}", hint="is this the right source?"
            )
        existing = self._existing()
        frozen = existing is not None and existing.status == "ready"
        dataset_id = existing.id if existing else self._create()
        mark = self._store.last_issue()
        chunks = _chunks(before, rows, CHUNK_WITH_MEDIA if check_media else CHUNK)
        try:
            with ExitStack() as stack:
                check = stack.enter_context(MediaCheck(self._root)) if check_media else None
                for chunk in chunks:
                    self._settle(dataset_id, chunk, check, frozen)
                    progress(self._counts["rows"])
            if self._store.count(dataset_id) != self._counts["pairs"]:
                raise self._changed("rows that were imported are no longer there")
        except DatasetError:
            self._store.drop_issues(dataset_id, after=mark)
            if not frozen:
                self._store.set_status(dataset_id, "failed")
            raise
        self._store.finish(
            dataset_id,
            fingerprint=self._digest.hexdigest(),
            counts=self._counts,
            issues_after=mark,
        )
        return self._store.by_id(dataset_id)

    def _existing(self) -> DatasetRow | None:
        found = self._store.find(self._name)
        if found is None:
            return None
        if found.status == "failed":  # nothing can refer to it; the name is free again
            self._store.discard(found.id)
            return None
        if found.spec != self._spec or found.data_root != str(self._root):
            what = f"from {found.spec}, data root {found.data_root}"
            raise DatasetError(
                f"there is a dataset {self._name!r} already, {what}", hint="give another --name"
            )
        return found

    def _create(self) -> int:
        names = {source.name for source, _ in self._parts}
        return self._store.create(
            name=self._name,
            source=names.pop() if len(names) == 1 else "mixed",
            spec=self._spec,
            data_root=str(self._root),
        )

    def _rows(self) -> Iterator[_Read]:
        index = 0
        given_root = self._root if self._root_given else None
        for (source, path), prefix in zip(self._parts, self._prefixes, strict=True):
            file = str(path)
            for row in source.rows(path, given_root):
                pair: NewPair | None = None
                if isinstance(row, BrokenRow):
                    message = row.message
                else:
                    try:
                        pair, message = new_pair(row, index, prefix), ""
                    except (ValueError, MediaError) as error:
                        message = str(error)
                if pair is not None and self._kind not in (None, pair.kind):
                    raise DatasetError(
                        f"{file} row {row.row} is a pair of {pair.kind.value}s, where {self._kind}s "
                        "are wanted",
                        hint="give a file of the other medium, or use the command for this one",
                    )
                yield _Read(file, row.row, pair, message)
                index += 1

    def _settle(
        self, dataset_id: int, chunk: list[_Read], check: MediaCheck | None, frozen: bool
    ) -> None:
        """Store one chunk, and count and list what is to be said about each of its rows."""
        issues: list[NewIssue] = []
        problems = check.problems(_media(chunk)) if check else {}
        new = [
            read.pair._replace(media_ok=False) if _faults(read.pair, problems) else read.pair
            for read in chunk
            if read.pair is not None
        ]
        if frozen:
            held = self._store.held(dataset_id, [pair.key for pair in new])
        else:
            held = self._store.add_pairs(dataset_id, new)
        media_ok: dict[str, bool] = {}
        self._counts["rows"] += len(chunk)
        pairs = iter(new)
        for read in chunk:
            if read.pair is None:
                issues.append(self._issue("broken", read, read.message))
                continue
            pair = next(pairs)
            stored = held.get(pair.key)
            if stored is None:
                if frozen:
                    raise self._changed(f"{read.file} row {read.row} is new")
            elif stored.idx < pair.idx:
                issues.extend(self._duplicate(read, pair, stored))
                continue
            elif (stored.idx, stored.first, stored.second, stored.preference) != (
                pair.idx, pair.first, pair.second, pair.preference.value
            ):  # fmt: skip
                raise self._changed(f"{read.file} row {read.row} is another one now")
            elif check and stored.media_ok != pair.media_ok:
                media_ok[pair.key] = pair.media_ok
            self._counts["pairs"] += 1
            self._digest.update(
                f"{pair.key}\0{pair.first}\0{pair.second}\0{pair.preference.value}\n".encode()
            )
            if pair.preference is Preference.TIE:
                issues.append(self._issue("tie", read, "both sides were found equal"))
            for code, message in _faults(pair, problems).items():
                issues.append(self._issue(code, read, message))
        self._store.set_media_ok(dataset_id, media_ok)
        self._store.add_issues(dataset_id, issues)

    def _duplicate(self, read: _Read, pair: NewPair, stored: HeldPair) -> Iterator[NewIssue]:
        yield self._issue("duplicate", read, f"the same pair as index {stored.idx}, which is kept")
        order = Order.DATASET if pair.first == stored.first else Order.SWAPPED
        preference = order.turn(pair.preference)
        if preference.value != stored.preference:
            yield self._issue(
                "conflict",
                read,
                f"prefers {preference.value} where index {stored.idx}, which is kept, "
                f"prefers {stored.preference}",
            )

    def _issue(self, code: str, read: _Read, message: str) -> NewIssue:
        self._counts[_CODE_COUNTS.get(code, code)] += 1
        # What a file holds may be no text; a report must be, or it could not be stored.
        printable = message.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
        return NewIssue(code, read.file, read.row, printable)

    def _changed(self, what: str) -> DatasetError:
        return DatasetError(
            f"the files of dataset {self._name!r} have changed since it was added: {what}",
            hint="pairs never change once added; add the files under another name",
        )


def kept_index(message: str) -> int | None:
    """The row of the pair that was kept, in the message of a duplicate or a conflict."""
    found = _KEPT.search(message)
    return int(found[1]) if found else None


def _until_usable(rows: Iterator[_Read]) -> tuple[list[_Read], bool]:
    """The rows up to and with the first usable one, and whether there is one."""
    before: list[_Read] = []
    for read in rows:
        before.append(read)
        if read.pair is not None:
            return before, True
    return before, False


def _chunks(before: list[_Read], rows: Iterator[_Read], size: int) -> Iterator[list[_Read]]:
    yield before
    while chunk := list(islice(rows, size)):
        yield chunk


def _media(chunk: list[_Read]) -> Iterator[tuple[str, MediaKind]]:
    for read in chunk:
        if read.pair is not None:
            yield read.pair.first, read.pair.kind
            yield read.pair.second, read.pair.kind


def _faults(
    pair: NewPair | None, problems: dict[tuple[str, MediaKind], tuple[str, str]]
) -> dict[str, str]:
    """``missing`` and ``unreadable`` to a line that names the files of this pair which are."""
    if pair is None or not problems:
        return {}
    faults: dict[str, str] = {}
    for path in dict.fromkeys((pair.first, pair.second)):
        if found := problems.get((path, pair.kind)):
            code, message = found
            faults[code] = f"{faults[code]}; {message}" if code in faults else message
    return faults
