"""A dataset into the store, streaming, with its integrity report.

Pairs never change once a dataset is ready: runs, rulings and exports refer to them. Adding the same
files again therefore looks at the media anew and writes a new report, and adds nothing; files that
have changed are refused. An import that was cut off goes on where rows are missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from backend.datasets.base import BrokenRow, Source
from backend.datasets.registry import parse_spec, spec_of
from backend.domain.pairs import MediaKind, Preference
from backend.errors import DatasetError, MediaError, UsageError
from backend.foreign_text import quoted
from backend.hints import Hint
from backend.ingest.media_check import MediaCheck
from backend.ingest.new_pairs import find_data_root, find_link_folders, new_pair
from backend.ingest.report import Read, Report, faults
from backend.media.opening import open_regular
from backend.store.database import Database
from backend.store.datasets import DatasetRow, Datasets, NewIssue, NewPair

LONGEST_NAME = 200
CHUNK = 20_000  # larger ones dirty fewer pages of the key index in all, and take more memory
CHUNK_WITH_MEDIA = 500  # smaller, so that progress shows while files are opened


def import_dataset(
    db: Database,
    *,
    name: str,
    spec: str,
    data_root: Path | None = None,
    kind: MediaKind | None = None,
    links_to: Sequence[Path] | None = None,
    check_media: bool = True,
    progress: Callable[[int], None] | None = None,
) -> DatasetRow:
    """Read a dataset's files into the store.

    Args:
        spec: ``SOURCE:PATH[,SOURCE:PATH…]``.
        data_root: Where the media are; by default where the source keeps them. Several files with
            different folders are given their common parent.
        kind: The only medium that is wanted; any when ``None``.
        links_to: Folders outside of the data root that symbolic links in it may lead to, in place of
            those allowed before; ``None`` leaves these as they are.
        check_media: Open every medium. One that is missing or unreadable is reported, and its pair
            stored all the same, marked so.
        progress: Called with the number of rows read so far.

    Returns:
        The dataset, ready, with the integrity report in ``counts``.

    Raises:
        DatasetError: Unknown source, no such file or folder, no usable row, a row about another medium than
            is wanted, files that changed since an earlier import, or the name is another dataset's.
        UsageError: The name is empty, or longer than a row's.
    """
    if not name.strip():
        raise UsageError("a dataset needs a name", hint=Hint("give {name}"))
    if len(name) > LONGEST_NAME:
        raise UsageError(
            f"a dataset's name of {len(name)} characters is too long",
            hint=Hint("give a {name} of {longest_name} at most", longest_name=LONGEST_NAME),
        )
    parts = parse_spec(spec)
    for _, path in parts:
        try:
            open_regular(path).close()
        except OSError as error:
            said = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
            raise DatasetError(f"{path}: {said}", hint="the form is SOURCE:PATH") from error
    root, prefixes = find_data_root(parts, data_root)
    links = None if links_to is None else find_link_folders(links_to)
    return _Import(db, name, parts, root, prefixes, data_root is not None, kind, links).run(
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
        links_to: tuple[str, ...] | None,
    ) -> None:
        self._store = Datasets(db)
        self._name = name
        self._parts = parts
        self._root = root
        self._prefixes = prefixes
        self._root_given = root_given
        self._kind = kind
        self._links_to = links_to
        self._spec = spec_of(parts)
        self._report = Report()
        self._digest = hashlib.sha256()

    def run(self, check_media: bool, progress: Callable[[int], None]) -> DatasetRow:
        rows = self._rows()
        # The dataset is made when the first usable row is seen: a file without one leaves no trace.
        before, usable = _until_usable(rows)
        if not usable:
            first = f"; {before[0].file} row {before[0].row}: {before[0].message}" if before else ""
            raise DatasetError(f"{self._parts[0][1]}: no usable row{first}", hint="is this the right source?")
        existing = self._existing()
        frozen = existing is not None and existing.status == "ready"
        dataset_id = existing.id if existing else self._create()
        links_to = self._links_to
        if links_to is None:
            links_to = existing.links_to if existing else ()
        if not frozen:
            self._store.allow_links(dataset_id, links_to)
        mark = self._store.last_issue()
        chunks = _chunks(before, rows, CHUNK_WITH_MEDIA if check_media else CHUNK)
        try:
            with ExitStack() as stack:
                check = None
                if check_media:
                    check = stack.enter_context(MediaCheck(self._root, links_to))
                for chunk in chunks:
                    self._settle(dataset_id, chunk, check, frozen)
                    progress(self._report.counts["rows"])
            if self._store.count(dataset_id) != self._report.counts["pairs"]:
                raise self._changed("rows that were imported are no longer there")
        except DatasetError:
            self._store.drop_issues(dataset_id, after=mark)
            if not frozen:
                self._store.set_status(dataset_id, "failed")
            raise
        self._store.allow_links(dataset_id, links_to)
        self._store.finish(
            dataset_id, fingerprint=self._digest.hexdigest(), counts=self._report.counts, issues_after=mark
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
                f"there is a dataset {quoted(self._name)} already, {what}", hint=Hint("give another {name}")
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

    def _rows(self) -> Iterator[Read]:
        index = 0
        given_root = self._root if self._root_given else None
        for (source, path), prefix in zip(self._parts, self._prefixes, strict=True):
            file = str(path)
            for row in source.rows(path, given_root):
                pair: NewPair | None = None
                ignored: tuple[str, ...] = ()
                if isinstance(row, BrokenRow):
                    message = row.message
                else:
                    ignored = row.ignored
                    try:
                        pair, message = new_pair(row, index, prefix), ""
                    except (ValueError, MediaError) as error:
                        message = str(error)
                if pair is not None and self._kind not in (None, pair.kind):
                    raise DatasetError(
                        f"{file} row {row.row} is a pair of {pair.kind.value}s, where {self._kind}s are wanted",
                        hint="give a file of the other medium, or use the command for this one",
                    )
                yield Read(file, row.row, pair, message, ignored)
                index += 1

    def _settle(self, dataset_id: int, chunk: list[Read], check: MediaCheck | None, frozen: bool) -> None:
        """Store one chunk, and count and list what is to be said about each of its rows."""
        issues: list[NewIssue] = []
        problems = check.problems(_media(chunk)) if check else {}
        new = [
            read.pair._replace(media_ok=False) if faults(read.pair, problems) else read.pair
            for read in chunk
            if read.pair is not None
        ]
        if frozen:
            held = self._store.held(dataset_id, [pair.key for pair in new])
        else:
            held = self._store.add_pairs(dataset_id, new)
        media_ok: dict[str, bool] = {}
        self._report.counts["rows"] += len(chunk)
        pairs = iter(new)
        for read in chunk:
            issues.extend(self._report.notes(read, self._root if check else None))
            if read.pair is None:
                issues.append(self._report.issue("broken", read, read.message))
                continue
            pair = next(pairs)
            stored = held.get(pair.key)
            if stored is None:
                if frozen:
                    raise self._changed(f"{read.file} row {read.row} is new")
            elif stored.idx < pair.idx:
                issues.extend(self._report.duplicate(read, pair, stored))
                continue
            elif (stored.idx, stored.first, stored.second, stored.preference) != (
                pair.idx,
                pair.first,
                pair.second,
                pair.preference.value,
            ):
                raise self._changed(f"{read.file} row {read.row} is another one now")
            elif check and stored.media_ok != pair.media_ok:
                media_ok[pair.key] = pair.media_ok
            self._report.counts["pairs"] += 1
            self._digest.update(f"{pair.key}\0{pair.first}\0{pair.second}\0{pair.preference.value}\n".encode())
            if pair.preference is Preference.TIE:
                issues.append(self._report.issue("tie", read, "both sides were found equal"))
            for code, message in faults(pair, problems).items():
                issues.append(self._report.issue(code, read, message))
        self._store.set_media_ok(dataset_id, media_ok)
        self._store.add_issues(dataset_id, issues)

    def _changed(self, what: str) -> DatasetError:
        return DatasetError(
            f"the files of dataset {quoted(self._name)} have changed since it was added: {what}",
            hint="pairs never change once added; add the files under another name",
        )


def _until_usable(rows: Iterator[Read]) -> tuple[list[Read], bool]:
    """The rows up to and with the first usable one, and whether there is one."""
    before: list[Read] = []
    for read in rows:
        before.append(read)
        if read.pair is not None:
            return before, True
    return before, False


def _chunks(before: list[Read], rows: Iterator[Read], size: int) -> Iterator[list[Read]]:
    yield before
    while chunk := list(islice(rows, size)):
        yield chunk


def _media(chunk: list[Read]) -> Iterator[tuple[str, MediaKind]]:
    for read in chunk:
        if read.pair is not None:
            yield read.pair.first, read.pair.kind
            yield read.pair.second, read.pair.kind
