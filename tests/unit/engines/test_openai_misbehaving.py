"""Endpoints that drip, flood, hang, redirect or compress: one request fails or moves, the run goes on."""

from __future__ import annotations

import gzip
import threading
import time
from typing import Any

import pytest
from engine_requests import request

from backend.engines.base import Completion, EngineOptions, Failure, Outcome
from backend.engines.openai import OpenAIEngine, served_models
from backend.errors import EngineError, UsageError
from tests.raw_server import Connection, answer, raw

POOL = {"first_pause": 0.05, "last_pause": 0.1, "give_up_after": 20.0}


def made(*urls: str, quiet_after: float = 0.2, probe_s: float = 1.0, **options: Any) -> OpenAIEngine:
    return OpenAIEngine(
        "judge",
        EngineOptions(endpoints=urls, **{"max_new_tokens": 1, **options}),
        backoff=0.01,
        probe_s=probe_s,
        pool_options={**POOL, "quiet_after": quiet_after},
    )


def ask(*urls: str, count: int = 1, **options: Any) -> list[Outcome]:
    engine = made(*urls, **options)
    try:
        return sorted(engine.generate(request(n) for n in range(count)), key=lambda one: one.id)
    finally:
        engine.close()


def bad_once(bad: Any) -> Any:
    """Misbehaves for the first request and for nobody after it."""
    first = threading.Lock()

    def act(connection: Connection) -> None:
        if connection.path.endswith("/models") or not first.acquire(blocking=False):
            connection.good()
        else:
            bad(connection)

    return act


def failed_alone(bad: Any, **options: Any) -> str:
    """The error of the one request of three that was answered so."""
    with raw(bad_once(bad)) as (server,):
        outcomes = ask(server.url, count=3, batch_size=1, **options)
    (failure,) = [one for one in outcomes if isinstance(one, Failure)]
    assert sum(isinstance(one, Completion) for one in outcomes) == 2
    assert len(failure.error) < 400
    return failure.error


def test_an_answer_without_end_is_cut_and_fails_alone() -> None:
    assert "over 1 MiB" in failed_alone(lambda c: c.chunks(b"x" * 65_536))


def test_an_answer_that_is_longer_than_it_could_be_fails_alone() -> None:
    assert "over 1 MiB" in failed_alone(lambda c: c.send(answer({"content": "x" * 2_000_000})))


def test_a_compressed_answer_that_nobody_asked_for_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert "encoding gzip" in failed_alone(lambda c: c.send(bomb, "Content-Encoding: gzip"))


def test_an_answer_of_the_wrong_types_fails_alone() -> None:
    assert "content is a number" in failed_alone(lambda c: c.send(answer({"content": 7})))


def test_an_error_without_end_is_cut_and_quoted_shortly() -> None:
    def flood(connection: Connection) -> None:
        connection.wfile.write(b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not connection.server.closed.is_set():
            connection.wfile.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    assert "400 xxx" in failed_alone(flood)


def test_what_is_no_http_is_asked_again() -> None:
    def garbage(connection: Connection) -> None:
        connection.wfile.write(b"\0\0\0 no http at all\r\n\r\n")
        connection.connection.close()

    with raw(bad_once(garbage)) as (server,):
        assert all(isinstance(one, Completion) for one in ask(server.url, count=2))


def test_an_endpoint_that_drips_is_cut_at_the_deadline_and_another_one_is_asked() -> None:
    with raw(bad_once(lambda c: c.chunks(b" ", 0.02)), Connection.good) as servers:
        outcomes = ask(*(one.url for one in servers), count=3, batch_size=2, request_timeout_s=2)
    assert all(isinstance(one, Completion) for one in outcomes)


def test_a_request_that_meets_its_deadline_twice_fails_and_says_which() -> None:
    def act(connection: Connection) -> None:
        connection.good() if connection.path.endswith("/models") else connection.chunks(b" ", 0.02)

    with raw(act) as (server,):
        (outcome,) = ask(server.url, request_timeout_s=0.2)
        assert isinstance(outcome, Failure) and "no whole answer within 0.2 s" in outcome.error
        assert server.asked("/chat/completions") == 2


def test_requests_of_an_endpoint_that_hangs_go_to_the_living_one_with_its_whole_share() -> None:
    together = threading.Barrier(6)

    def needs_six(connection: Connection) -> None:
        if connection.path.endswith("/chat/completions"):
            # Answers only once all six places are here: a half share would never do.
            together.wait(15)
        connection.good()

    with raw(Connection.hang, needs_six) as (hung, living):
        outcomes = ask(hung.url, living.url, count=12, batch_size=6)
        assert all(isinstance(one, Completion) for one in outcomes)
        assert hung.asked("/chat/completions") == 3
        assert hung.asked("/models") >= 2


def test_an_endpoint_that_hung_is_asked_again_once_it_gives_a_sign_of_life() -> None:
    awake = threading.Event()

    def act(connection: Connection) -> None:
        connection.good() if awake.is_set() else connection.hang()

    def slow(connection: Connection) -> None:
        time.sleep(0.05)
        connection.good()

    with raw(act, slow) as (server, other):
        engine = made(server.url, other.url, batch_size=4)
        try:
            assert len(list(engine.generate(request(n) for n in range(6)))) == 6
            before = server.asked("/chat/completions")
            awake.set()
            deadline = time.monotonic() + 15
            while server.asked("/chat/completions") == before and time.monotonic() < deadline:
                list(engine.generate(request(n) for n in range(6)))
            assert server.asked("/chat/completions") > before
        finally:
            engine.close()


class Deaf:
    """Once ``hang`` was called, answers nothing until two looks after it were in vain."""

    def __init__(self) -> None:
        self._looks = 0

    def hang(self, connection: Connection) -> None:
        self._looks = 2
        connection.hang()

    def looked_at(self, connection: Connection) -> None:
        if self._looks:
            self._looks -= 1
            connection.hang()
        connection.good()


def test_a_hang_uses_up_no_tries_of_a_request() -> None:
    """Five failures and two hangs: with the hangs counted these were more tries than a request has."""
    numbers, deaf = iter(range(100)), Deaf()

    def act(connection: Connection) -> None:
        if connection.path.endswith("/models"):
            deaf.looked_at(connection)
        elif (number := next(numbers)) < 2:
            deaf.hang(connection)
        elif number < 7:
            connection.send(b"{}", status="429 Too Many")
        else:
            connection.good()

    with raw(act) as (server,):
        (outcome,) = ask(server.url, probe_s=0.3)
    assert isinstance(outcome, Completion), outcome


def test_a_slow_endpoint_that_gives_signs_of_life_keeps_its_requests() -> None:
    def act(connection: Connection) -> None:
        if connection.path.endswith("/chat/completions"):
            time.sleep(1.0)
        connection.good()

    with raw(act) as (server,):
        assert isinstance(ask(server.url)[0], Completion)
        assert server.asked("/chat/completions") == 1
        assert server.asked("/models") >= 1


@pytest.mark.slow
def test_a_request_before_which_every_server_hangs_fails_in_the_end() -> None:
    """As if it were what makes them hang: they live again as soon as it is gone."""
    deaf = Deaf()

    def act(connection: Connection) -> None:
        looked = connection.path.endswith("/models")
        deaf.looked_at(connection) if looked else deaf.hang(connection)

    with raw(act) as (server,):
        (outcome,) = ask(server.url, quiet_after=0.03, probe_s=0.2)
    assert isinstance(outcome, Failure) and "does not answer" in outcome.error


def test_a_redirect_is_not_followed_and_its_address_is_told_without_secrets() -> None:
    with raw(Connection.good) as (elsewhere,):
        target = elsewhere.url.replace("//", "//user:secret@") + "/x?token=secret"
        with raw(lambda c: c.send(b"", f"Location: {target}", status="307 Temporary Redirect")) as (server,):
            for asked in (lambda: ask(server.url), lambda: served_models(server.url, EngineOptions())):
                with pytest.raises(EngineError, match="redirects are not followed") as caught:
                    asked()
                assert elsewhere.url in caught.value.message and "secret" not in caught.value.message
        assert not elsewhere.paths


def test_a_list_of_models_without_end_is_cut() -> None:
    def act(connection: Connection) -> None:
        connection.chunks(b" " * 65_536)

    with raw(act) as (server,):
        assert served_models(server.url, EngineOptions()) == []


def test_the_key_is_left_out_of_what_a_server_says_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-0123456789\n")
    with raw(lambda c: c.send(b"no: Bearer sk-0123456789", status="401 No")) as (server,):
        with pytest.raises(EngineError) as caught:
            ask(server.url, api_key_env="JUDGE_KEY")
        assert caught.value.message.endswith("401 no: Bearer ***")
    monkeypatch.setenv("JUDGE_KEY", "sk-0123\nX-Header: 1")
    with pytest.raises(UsageError, match="JUDGE_KEY holds characters"):
        ask(server.url, api_key_env="JUDGE_KEY")
