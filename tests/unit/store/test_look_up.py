"""What a batch reads of its run does not grow with the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from backend.store.database import Database
from backend.store.deciding import judged_of
from backend.store.predictions import Predictions
from backend.store.reviews import Reviews
from backend.store.upgrade import upgrade
from benchmarks.databases import add_pairs
from benchmarks.rulings_import import prediction
from tests.postgres import Server

PAIRS = 4_000
SOME = range(3_001, 3_051)


def fill(database: Database) -> None:
    add_pairs(database, PAIRS, 1)
    with database.write() as connection:
        Predictions(database).add(connection, 1, [prediction(n) for n in range(1, PAIRS + 1)])


@pytest.fixture
def on_postgres(postgres: Server) -> Iterator[Database]:
    url = postgres.lend()
    database = Database(url)
    upgrade(database)
    fill(database)
    yield database
    database.close()
    postgres.give_back(url)


def fetched(connection: Connection, table: str) -> int:
    """Rows that this transaction has read of a table, wanted or not."""
    query = text(
        "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) "
        "FROM pg_stat_xact_user_tables WHERE relname = :table"
    )
    return int(connection.execute(query, {"table": table}).scalar_one())


def test_a_batch_reads_the_rows_of_its_own_pairs_in_a_run_that_was_never_analysed(on_postgres: Database) -> None:
    with on_postgres.read() as connection:
        before = fetched(connection, "verdicts")
        judged = judged_of(connection, 1, SOME)
        assert [row.pair_id for row in judged] == list(SOME)
        assert fetched(connection, "verdicts") - before <= len(SOME)
    with on_postgres.read() as connection:
        before = fetched(connection, "predictions")
        assert len(Predictions(on_postgres)._known(connection, 1, SOME)) == len(SOME)
        assert fetched(connection, "predictions") - before <= len(SOME)


def test_reviews_are_found_by_their_predictions_and_by_their_tokens(on_postgres: Database) -> None:
    reviews = Reviews(on_postgres)
    with on_postgres.write() as connection:
        verdicts = reviews.verdicts_of(connection, range(1, PAIRS + 1))
        for number in range(1, 1_001):
            reviews.append(
                connection,
                verdicts[number],
                ruling="reject",
                relabel=None,
                note="",
                tags=(),
                reviewer="anna",
                replaced={"review_id": None},
                undoes=None,
                token=f"t{number}",
            )
    with on_postgres.read() as connection:
        before = fetched(connection, "reviews")
        found = reviews.of_predictions(connection, range(101, 121))
        assert [row.token for row in found] == [f"t{number}" for number in range(101, 121)]
        named = reviews.by_tokens(connection, ["t7", "t9", "none"])
        assert {token: row.prediction_id for token, row in named.items()} == {"t7": 7, "t9": 9}
        assert fetched(connection, "reviews") - before <= 22


def test_looking_up_nothing_finds_nothing(on_postgres: Database) -> None:
    with on_postgres.read() as connection:
        assert judged_of(connection, 1, []) == []
        assert Reviews(on_postgres).by_tokens(connection, []) == {}
