"""Which keys of a row a source reads, and what becomes of the others.

A format that looks like another often differs from it by a key that says the row is about something
else: a tie, an edit of a source image, a question of its own. Such a key is honoured by its source, or
the row is refused. Keys that no source knows are left out and named in the integrity report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from backend.datasets.base import BrokenRow, RowProblem, SourceRow
from backend.foreign_text import quoted

_NO = frozenset({"", "0", "0.0", "false", "no", "none", "null", "nan"})
_YES = frozenset({"1", "1.0", "true", "yes"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_MEDIUM = {
    "image",
    "img",
    "images",
    "imgs",
    "picture",
    "photo",
    "video",
    "videos",
    "clip",
    "frame",
    "frames",
    "media",
    "medium",
    "asset",
    "path",
    "paths",
}
_SHARED = {
    "source",
    "src",
    "reference",
    "ref",
    "input",
    "init",
    "initial",
    "original",
    "orig",
    "condition",
    "conditioning",
    "cond",
    "context",
    "before",
}
_FRAME = {"first", "last", "start", "end"}
_SHOWN = {"image", "img", "video", "asset", "frame"}
_QUESTION = {"criteria", "criterion", "question", "query", "rubric", "instruct", "instruction", "instructions"}
_TIE = {"tie", "ties", "tied", "draw", "bothbad", "bothgood"}
_EXCHANGED = re.compile("swap|swapped|flip|flipped|reversed?|shuffled|inverted")
_ABOUT = {
    "id",
    "ids",
    "index",
    "idx",
    "count",
    "num",
    "type",
    "version",
    "hash",
    "length",
    "width",
    "height",
    "size",
    "ratio",
    "time",
    "score",
    "scores",
}
"""As its last word: the key says something about the thing, and is not the thing."""
_MORE = {"path", "image", "img", "video", "clip", "medium", "response", "file", "name", "candidate"}


class Keys:
    """The keys that a source knows.

    Args:
        known: Read by the source, or known to change nothing.
        without: Rows are taken without them, although they change what a row means: all rows of the
            format have them. They are named as keys that were not read.
        verdicts: Names of verdicts that contradict how this source tells the winner.
        keeps: Which values of other keys the source keeps beside the pair; it keeps none by default.
    """

    _MOST_REMEMBERED = 10_000

    def __init__(
        self,
        *known: str,
        without: Collection[str] = (),
        verdicts: Collection[str] = (),
        keeps: Callable[[Any], bool] = lambda _value: False,
    ) -> None:
        self._known = frozenset(known)
        self._without = frozenset(without)
        self._verdicts = frozenset(verdicts)
        self._keeps = keeps
        self._meanings: dict[str, str | None] = {}

    def unread(self, item: Mapping[str, Any]) -> tuple[str, ...]:
        """The keys of a row that are left out.

        Raises:
            RowProblem: A key that the source does not honour changes what the row means.
        """
        if self._known.issuperset(item):
            return ()
        others = item.keys() - self._known
        for name in others:
            meaning = self.meaning(name)
            if meaning and _says_something(item[name], flag=meaning in (_IS_TIE, _IS_EXCHANGED)):
                raise RowProblem(f"{quoted(name)} {meaning}")
        return tuple(sorted(name for name in others if item[name] is not None and not self._keeps(item[name])))

    def meaning(self, name: str) -> str | None:
        """How a key of that name changes the meaning of a row, if it does."""
        if name in self._known or name in self._without:
            return None
        if name not in self._meanings:
            if len(self._meanings) >= self._MOST_REMEMBERED:
                self._meanings.clear()
            self._meanings[name] = _HOLDS_VERDICT if name in self._verdicts else _meaning(name)
        return self._meanings[name]


_IS_TIE = "says that neither side is better, which this source does not read"
_IS_EXCHANGED = "says that the sides are exchanged, which this source does not read"
_HOLDS_VERDICT = "is a verdict of its own, which this source does not read"
_ASKS = "asks a question of its own, of which a judge would not be told"
_EDITS = "names a medium that both sides share, as in an image-editing pair; Winnow has no references yet"
_IS_MORE = "is a third candidate, where a pair has two"


def _meaning(name: str) -> str | None:
    words = [word.lower() for word in _WORD.findall(name)]
    found = set(words)
    if not words or words[-1] in _ABOUT:
        return None
    if found & _TIE or {"both", "bad"} <= found:
        return _IS_TIE
    if any(map(_EXCHANGED.fullmatch, words)):
        return _IS_EXCHANGED
    if found & _QUESTION or {"edit", "prompt"} <= found:
        return _ASKS
    provenance = words[-1] == "source" and words[0] != "path"
    if found & _SHARED and found & _MEDIUM and not provenance:
        return _EDITS
    if (found & _FRAME and "frame" in found) or ("prompt" in found and found & _SHOWN):
        return _EDITS
    if words[0] in ("mask", "references") or words == ["reference"]:
        return _EDITS
    if len(words) > 1 and words[-1].isdecimal() and int(words[-1]) > 2 and words[-2] in _MORE:
        return _IS_MORE
    return None


def _says_something(value: Any, *, flag: bool) -> bool:
    if flag:
        return str(value).strip().lower() not in _NO
    return value is not None and value == value and value not in ("", [], {}, ())


def flag_field(item: Mapping[str, Any], key: str) -> bool:
    """Whether a flag is set; one that is not there is not.

    Raises:
        RowProblem: It is neither yes nor no.
    """
    value = item.get(key)
    if value is None or isinstance(value, bool):
        return bool(value)
    word = str(value).strip().lower()
    if word in _NO or word in _YES:
        return word in _YES
    raise RowProblem(f"{quoted(key)} is {quoted(value)}, which is neither true nor false")


def read_row(
    row: int, item: dict[str, Any], convert: Callable[[int, dict[str, Any]], SourceRow], keys: Keys
) -> SourceRow | BrokenRow:
    """One row of a file, converted, with the keys that were left out; broken where it cannot be."""
    try:
        ignored = keys.unread(item)
        converted = convert(row, item)
    except RowProblem as problem:
        return BrokenRow(row, str(problem))
    return converted._replace(ignored=ignored) if ignored else converted
