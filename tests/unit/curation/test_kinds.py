"""What holds of every kind of queue."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.cli import main
from backend.curation.kinds.registry import KINDS, offered
from backend.curation.queues import NewQueue, Queues
from backend.curation.rulings import Rulings
from backend.domain.reading import Flaw, flaw_mask
from backend.errors import ReviewError, UsageError
from backend.options import options_of
from backend.store.database import Database
from tests.workspaces import build_workspace

Judge = Callable[..., int]
every_kind = pytest.mark.parametrize("name", list(KINDS))

OTHERWISE = {"size": 1, "seed": 7, "margin": 4.5, "votes": 1, "agreement": 0.75, "flaws": ["no_answer"]}
"""A value of each option that is not its default, as JSON holds it."""


@pytest.fixture
def everything(db: Database, judge: Judge) -> Database:
    """A workspace in which no kind of queue is empty."""
    accepted = judge(1)
    judge(2, answer="second", margin=9.0)
    judge(2, answer="second", margin=9.0, sample=1)
    judge(3, answer=None, margin=None, flaws=flaw_mask([Flaw.NO_ANSWER]))
    Rulings(db).add(accepted, "flag", reviewer="ann")
    return db


@every_kind
def test_a_kind_is_declared_under_the_name_it_is_listed_by_and_says_what_it_is(name: str) -> None:
    kind = KINDS[name]
    assert kind.name == name and len(name) <= 30
    assert kind.label and kind.purpose.endswith(".") and kind.nothing
    assert all(one.help and one.when and one.group and one.label for one in options_of(kind.options).values())


@every_kind
def test_a_queue_keeps_what_it_was_made_from(everything: Database, name: str) -> None:
    kind = KINDS[name]
    told = {option: OTHERWISE[option] for option in options_of(kind.options)}
    ids = None if kind.pick else [1]
    for options in ({}, told):
        new = NewQueue(kind=name, title="q", options=options)
        queue = Queues(everything).make(new, created_by="ann", ids=ids)
        kept = {option: queue.spec[option] for option in told}
        assert kind.options(**kept) == kind.options(**options)
        assert kept == json.loads(json.dumps(kept))
        assert queue.items and Queues(everything).hand_out(queue, "ann", start=0, count=1).slots


@every_kind
def test_a_kind_is_given_its_predictions_or_chooses_them(everything: Database, name: str) -> None:
    with pytest.raises(ReviewError, match="is given its predictions"):
        Queues(everything).make(NewQueue(kind=name, title="q"), created_by="ann", ids=[1] if KINDS[name].pick else None)


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("audit_accepted", {"size": 0}, "a queue's size cannot be '0'"),
        ("suspect_labels", {"agreement": 0.5}, "a queue's agreement cannot be '0.5'"),
        ("unreviewed", {"size": 5}, "a queue's size is no option"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(
    everything: Database, kind: str, options: dict[str, object], said: str
) -> None:
    with pytest.raises(ReviewError, match=said):
        Queues(everything).make(NewQueue(kind=kind, title="q", options=options), created_by="ann")


def test_an_unknown_kind_is_answered_with_those_there_are(everything: Database) -> None:
    with pytest.raises(UsageError, match="unknown kind of queue 'nosuch'") as caught:
        Queues(everything).make(NewQueue(kind="nosuch", title="q"), created_by="ann")
    assert "unreviewed" in (caught.value.hint or "")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds") / "ws"
    space = build_workspace(folder, images=9, videos=1)
    space.rulings.add(1, "flag", reviewer="ann")
    space.close()
    return folder


@pytest.mark.parametrize("name", list(offered()))
def test_each_kind_is_made_by_a_command(workspace: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["review", "queue", name, "--workspace", str(workspace), "--run", "1", "--run", "2", "--blind", "--json"]
    if name == "suspect_labels":  # no pair of this workspace has all answers against it
        words += ["--agreement", "0.55"]
    assert main(words) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["kind"] == name and made["items"] > 0
    assert (made["runs"], made["blind"], made["title"]) == ([1, 2], True, KINDS[name].label)
    assert main([*words, "--run", "99"]) == 1


def test_a_command_refuses_what_the_kinds_model_refuses(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["review", "queue", "suspect_labels", "--workspace", str(workspace)]
    assert main([*words, "--agreement", "0.5"]) == 2
    assert "--agreement" in capsys.readouterr().err
