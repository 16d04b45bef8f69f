"""Finding predictions: pages by key, counts, ids of all matches.

A page is found in two steps. The first touches only ``verdicts``, narrow enough that a million of
its rows are read in a fraction of a second whatever the filter; the second fetches what is shown of
the few rows on the page. Words and dimension scores have indexes of their own, which a search for
words is led by.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, false, func, literal_column, or_, select, true

from backend.domain.browse import ANY_FLAW, NOT_REVIEWED, BrowseFilter
from backend.domain.reading import Flaw, flaw_mask
from backend.domain.rulings import Ruling
from backend.store import dimension_scores, search
from backend.store.database import Database
from backend.store.lazy_index import LazyIndex
from backend.store.reviews import in_force
from backend.store.schema import pairs, reviews, verdicts

PAGE = 48


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the results: the sort key of a row, and its id for rows with equal keys."""

    key: float
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What a card shows of one prediction. Sides are those of the shown order; ``relabel`` and
    ``unblinded`` are those of the ruling in force."""

    id: int
    run_id: int
    pair_id: int
    index: int
    kind: str
    prompt: str
    order: str
    sample: int
    answer: str | None
    preferred: str
    margin: float | None
    flaws: int
    decision: str
    reason: str
    ruling: str | None
    relabel: str | None
    unblinded: bool | None
    reviewer: str | None
    effective: str
    length: int
    key: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """What there is to choose from."""

    reviewers: list[str]
    tags: list[str]
    dimensions: list[str]


class Browse:
    """Queries over the predictions of a workspace."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.words_index = LazyIndex(database, search.RECIPE)
        self.scores_index = LazyIndex(database, dimension_scores.RECIPE)

    def page(self, wanted: BrowseFilter, *, after: Cursor | None = None, limit: int = PAGE) -> list[Hit]:
        """The next ``limit`` matches in the filter's order."""
        source, condition, id_ = self._matches(wanted)
        by_id = wanted.sort in ("oldest", "newest")
        key, descending = (id_, wanted.sort == "newest") if by_id else sort_key(wanted)
        query = select(id_, key.label("key")).select_from(source).where(condition)
        if by_id:
            if after is not None:
                query = query.where(id_ < after.id if descending else id_ > after.id)
            query = query.order_by(id_.desc() if descending else id_)
        else:
            if after is not None:
                further = key < after.key if descending else key > after.key
                later = id_ < after.id if descending else id_ > after.id
                # The first condition bounds the index; the second is exact.
                bound = key <= after.key if descending else key >= after.key
                query = query.where(bound, or_(further, and_(key == after.key, later)))
            query = query.order_by(*_both_ways(key, id_, descending))
        with self._db.read() as connection:
            found = {row[0]: row[1] for row in connection.execute(query.limit(limit))}
            if not found:
                return []
            rows = connection.execute(_HIT.where(verdicts.c.prediction_id.in_(list(found))))
            hits = {row.id: Hit(**row._mapping, key=float(found[row.id])) for row in rows}
        return [hits[prediction] for prediction in found]

    def count(self, wanted: BrowseFilter) -> int:
        """How many predictions match."""
        query = self._counting(wanted)
        with self._db.read() as connection:
            return int(connection.execute(query).scalar_one())

    def ids(self, wanted: BrowseFilter, *, at_most: int | None = None) -> array[int]:
        """Ids of all matches, in the filter's order: eight bytes a match."""
        source, condition, id_ = self._matches(wanted)
        query: Select[Any] = select(id_).select_from(source).where(condition)
        if wanted.sort in ("oldest", "newest"):
            query = query.order_by(id_.desc() if wanted.sort == "newest" else id_)
        else:
            key, descending = sort_key(wanted)
            query = query.order_by(*_both_ways(key, id_, descending))
        if at_most is not None:
            query = query.limit(at_most)
        found = array("q")
        with self._db.read() as connection:
            for (prediction,) in connection.execute(query).yield_per(10_000):
                found.append(prediction)
        return found

    def condition(self, wanted: BrowseFilter) -> ColumnElement[bool]:
        """What holds of the verdicts that match."""
        source, condition, id_ = self._matches(wanted)
        if source is verdicts:
            return condition
        return verdicts.c.prediction_id.in_(select(id_).select_from(source).where(condition))

    def facets(self, dimension_sample: int = 200) -> Facets:
        """Reviewers, tags and dimensions that occur; dimensions from the newest verdicts."""
        with self._db.read() as connection:
            reviewers = (
                connection.execute(select(reviews.c.reviewer).distinct().order_by(reviews.c.reviewer).limit(200))
                .scalars()
                .all()
            )
            tags: set[str] = set()
            tagged = select(reviews.c.tags).where(_tagged(self._db)).limit(5_000)
            for value in connection.execute(tagged).scalars():
                tags.update(value.get("tags", ()))
            newest = select(verdicts.c.scores).order_by(verdicts.c.prediction_id.desc()).limit(dimension_sample)
            names: dict[str, str] = {}
            for scores in connection.execute(newest).scalars():
                for name, *_ in scores.get("dimensions", ()):
                    names.setdefault(str(name).casefold(), str(name))
        return Facets(reviewers=list(reviewers), tags=sorted(tags), dimensions=sorted(names.values()))

    def _counting(self, wanted: BrowseFilter) -> Select[int]:
        source, condition, _ = self._matches(wanted.model_copy(update={"sort": "oldest"}))
        return select(func.count()).select_from(source).where(condition)

    def _matches(self, wanted: BrowseFilter) -> tuple[FromClause, ColumnElement[bool], ColumnElement[int]]:
        """Where to look, what has to hold there, and which column is the prediction's id."""
        parts = self._conditions(wanted)
        if not wanted.words:
            by_id = wanted.sort in ("oldest", "newest")
            only_scores = wanted.model_dump(exclude_defaults=True).keys() <= _ABOUT_SCORES
            if wanted.dimension and by_id and only_scores and self.scores_index.complete():
                source = dimension_scores.scores
                return source, dimension_scores.indexed_scores(wanted), source.c.prediction_id
            return verdicts, and_(true(), *parts), verdicts.c.prediction_id
        if not self.words_index.complete():
            parts.append(search.matching(wanted.words, upto=self.words_index.upto()))
            return verdicts, and_(true(), *parts), verdicts.c.prediction_id
        # Led by the index, whose rows come in the order of their ids: the first page of a common
        # word is found without reading the rest.
        id_ = search.search.c.rowid
        alone = not parts and wanted.sort in ("oldest", "newest")
        led = search.search if alone else search.search.join(verdicts, verdicts.c.prediction_id == id_)
        return led, and_(search.found(wanted.words), *parts), id_

    def _conditions(self, wanted: BrowseFilter) -> list[ColumnElement[bool]]:
        parts: list[ColumnElement[bool]] = [*_plain(wanted), *_ranges(wanted)]
        if wanted.ruling:
            chosen = [ruling for ruling in wanted.ruling if ruling != NOT_REVIEWED]
            parts.append(_one_of(verdicts.c.ruling, chosen, NOT_REVIEWED in wanted.ruling))
        if wanted.answer:
            chosen_answers = [answer for answer in wanted.answer if answer != "none"]
            parts.append(_one_of(verdicts.c.answer, chosen_answers, "none" in wanted.answer))
        if wanted.flaw:
            if ANY_FLAW in wanted.flaw:
                parts.append(verdicts.c.flaws != 0)
            else:
                mask = flaw_mask(Flaw(flaw) for flaw in wanted.flaw)
                parts.append(verdicts.c.flaws.op("&")(mask) != 0)
        if wanted.dimension:
            indexed = self.scores_index.complete()
            parts.append(dimension_scores.scored(wanted, indexed=indexed, sqlite=self._db.is_sqlite))
        if wanted.tag:
            parts.append(self._tag(wanted.tag))
        if wanted.reviewer:
            # Of two who ruled on it, the later one is in the verdict.
            parts.append(verdicts.c.reviewer == wanted.reviewer if wanted.ruling else _ruled_by(wanted.reviewer))
        return parts

    def _tag(self, tag: str) -> ColumnElement[bool]:
        sqlite = self._db.is_sqlite
        each = (
            func.json_each(reviews.c.tags, "$.tags")
            if sqlite
            else (func.json_array_elements_text(reviews.c.tags["tags"]))
        )
        row = each.table_valued("value", name="tag")
        tagged = (
            select(reviews.c.prediction_id)
            .select_from(reviews.join(row, true()))
            .where(row.c.value == tag, reviews.c.id.not_in(_UNDONE))
        )
        return verdicts.c.prediction_id.in_(tagged)


_UNDONE = select(reviews.c.undoes).where(reviews.c.undoes.is_not(None))
_ABOUT_SCORES = frozenset({"dimension", "measure", "score_min", "score_max", "sort"})
_HIT = select(
    verdicts.c.prediction_id.label("id"),
    verdicts.c.run_id,
    verdicts.c.pair_id,
    pairs.c.idx.label("index"),
    pairs.c.kind,
    # Of a hostile caption of a megabyte, no more than a card can show.
    func.substr(pairs.c.prompt, 1, 400).label("prompt"),
    verdicts.c.shown_order.label("order"),
    verdicts.c.sample,
    verdicts.c.answer,
    verdicts.c.preferred,
    verdicts.c.margin,
    verdicts.c.flaws,
    verdicts.c.decision,
    verdicts.c.reason,
    verdicts.c.ruling,
    in_force(reviews.c.relabel).label("relabel"),
    in_force(reviews.c.unblinded).label("unblinded"),
    verdicts.c.reviewer,
    verdicts.c.effective,
    verdicts.c.text_length.label("length"),
).join(pairs, pairs.c.id == verdicts.c.pair_id)


def _plain(wanted: BrowseFilter) -> list[ColumnElement[bool]]:
    v = verdicts.c
    parts: list[ColumnElement[bool]] = []
    if wanted.run:
        parts.append(v.run_id.in_(wanted.run))
    if wanted.decision:
        parts.append(v.decision == wanted.decision)
    if wanted.effective:
        parts.append(v.effective == wanted.effective)
    if wanted.reason:
        parts.append(v.reason.in_(wanted.reason))
    if wanted.reviewed is not None:
        parts.append(v.ruling.is_not(None) if wanted.reviewed else v.ruling.is_(None))
    if wanted.kind:
        parts.append(v.kind == wanted.kind.value)
    return parts


def _ruled_by(reviewer: str) -> ColumnElement[bool]:
    ruled = select(reviews.c.prediction_id).where(
        reviews.c.reviewer == reviewer,
        reviews.c.ruling.not_in((Ruling.UNDO, Ruling.NOTE)),
        reviews.c.id.not_in(_UNDONE),
    )
    return verdicts.c.prediction_id.in_(ruled)


def _ranges(wanted: BrowseFilter) -> list[ColumnElement[bool]]:
    parts: list[ColumnElement[bool]] = []
    if wanted.margin_min is not None:
        parts.append(verdicts.c.margin >= wanted.margin_min)
    if wanted.margin_max is not None:
        parts.append(verdicts.c.margin <= wanted.margin_max)
    return parts


def _one_of(column: Any, values: Sequence[str], or_none: bool) -> ColumnElement[bool]:
    some = column.in_(values) if values else false()
    return or_(some, column.is_(None)) if or_none else some


def sort_key(wanted: BrowseFilter) -> tuple[ColumnElement[Any], bool]:
    """What a filter sorts verdicts by, and whether the highest comes first."""
    descending = wanted.sort.startswith("-") or wanted.sort == "newest"
    name = wanted.sort.lstrip("-")
    if name == "margin":
        # What has no margin comes last, whichever way one sorts. Literals, because the indexes over
        # these expressions are only used for the same expressions.
        last = "-1e9" if descending else "1e9"
        return func.coalesce(verdicts.c.margin, literal_column(last)), descending
    if name == "length":
        return verdicts.c.text_length, descending
    return verdicts.c.prediction_id, descending


def _both_ways(key: Any, id_: Any, descending: bool) -> tuple[Any, Any]:
    """One direction for both, so that an index can be read backwards."""
    return (key.desc(), id_.desc()) if descending else (key, id_)


def _tagged(database: Database) -> ColumnElement[bool]:
    if database.is_sqlite:
        return func.json_array_length(reviews.c.tags, "$.tags") > 0
    return func.json_array_length(reviews.c.tags["tags"]) > 0
